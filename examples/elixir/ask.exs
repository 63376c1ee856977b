# Sends one request to nexus and waits for its result, without Mix and without a dependency
# besides a PostgreSQL driver (Debian: apt-get install elixir erlang-p1-pgsql):
#
#     elixir ask.exs "$(nexus db url)" "Why is the sea salty?" [SECONDS]
#
# The answer goes to standard output. Exit code 1: the request failed; 5: no result in time.
# An application would use Ecto and Postgrex.Notifications: docs/elixir.md.

defmodule Ask do
  # The id of a row in job_results is the version-5 UUID of the request_id in this namespace.
  @namespace Base.decode16!("6E657875732D516380006A6F62726573")
  # Milliseconds between two looks. Notifications can get lost, so they are not relied upon.
  @look_again 1_000

  @send """
  SELECT pgmq.send('ai_requests', jsonb_build_object(
    'request_id', $1::text, 'agent_id', 'ask.exs', 'complexity', 'simple', 'timeout', $2::integer,
    'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', $3::text))))
  """
  @look "SELECT status, output ->> 'response', error FROM job_results WHERE id = $1::uuid"

  def main([url, question]), do: main([url, question, "120"])

  def main([url, question, seconds]) do
    timeout = String.to_integer(seconds) * 1_000
    deadline = now() + timeout
    request_id = Base.encode16(:crypto.strong_rand_bytes(16), case: :lower)

    # Two connections: a notification may arrive at any time, also in the middle of a statement.
    listener = listen(url, "nexus_results")
    db = connect(url)
    query(db, @send, [request_id, timeout, question])
    await(db, listener, request_id, deadline)
  end

  def main(_arguments), do: stop(2, "usage: elixir ask.exs URL QUESTION [SECONDS]")

  # Look first, then wait: the result may be there already.
  defp await(db, listener, request_id, deadline) do
    case query(db, @look, [row_id(request_id)]) do
      [["success", response, _]] ->
        IO.puts(response)

      [[_failed_or_timeout, _, error]] ->
        stop(1, error)

      [] ->
        left = deadline - now()
        if left <= 0, do: stop(5, "no result for #{request_id} in time")

        # p1_pgsql keeps no notification, so we watch the connection receive one.
        receive do
          {:trace, ^listener, :receive, {:pgsql, {:unknown, [?A]}}} -> :ok
        after
          min(left, @look_again) -> :ok
        end

        await(db, listener, request_id, deadline)
    end
  end

  defp listen(url, channel) do
    listener = connect(url)
    {:ok, _} = :pgsql.squery(listener, "LISTEN #{channel}")
    :erlang.trace(listener, true, [:receive])
    listener
  end

  defp query(db, statement, parameters) do
    with {:ok, _status, _parameters, _columns} <- :pgsql.prepare(db, "", statement),
         {:ok, {_command, rows}} <- :pgsql.execute(db, "", parameters) do
      for row <- rows, do: for({_type, value} <- row, do: value)
    else
      {:error, error} -> stop(1, "PostgreSQL: #{error[:message]}")
    end
  end

  defp connect(url) do
    uri = URI.parse(url)
    [user | password] = String.split(uri.userinfo || "postgres", ":", parts: 2)
    database = uri.path |> String.trim_leading("/") |> URI.decode()

    options = [
      user: URI.decode(user),
      password: password |> Enum.join() |> URI.decode(),
      database: database,
      as_binary: true
    ]

    case :pgsql.connect(options ++ address(uri)) do
      {:ok, db} -> db
      {:error, reason} -> stop(4, "PostgreSQL cannot be reached: #{inspect(reason)}")
    end
  end

  defp address(uri) do
    parameters = URI.decode_query(uri.query || "")
    port = String.to_integer(parameters["port"] || to_string(uri.port || 5432))

    case parameters["host"] || uri.host do
      "/" <> _ = folder -> [host: "127.0.0.1", port: relay("#{folder}/.s.PGSQL.#{port}")]
      host -> [host: host || "localhost", port: port]
    end
  end

  # The embedded PostgreSQL listens on a unix socket only, p1_pgsql connects by TCP only: a port
  # that takes one connection and copies it. Postgrex needs none of this (`socket_dir:`).
  defp relay(path) do
    unless File.exists?(path), do: stop(4, "no PostgreSQL at #{path}")
    us = self()

    spawn_link(fn ->
      {:ok, listener} = :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, backlog: 1])
      {:ok, port} = :inet.port(listener)
      send(us, {:relay, port})
      {:ok, client} = :gen_tcp.accept(listener)
      :gen_tcp.close(listener)
      {:ok, server} = :gen_tcp.connect({:local, path}, 0, [:binary])
      copy(client, server)
    end)

    receive do
      {:relay, port} -> port
    end
  end

  defp copy(client, server) do
    receive do
      {:tcp, ^client, data} -> :gen_tcp.send(server, data)
      {:tcp, ^server, data} -> :gen_tcp.send(client, data)
      {:tcp_closed, _either} -> exit(:normal)
    end

    copy(client, server)
  end

  defp row_id(request_id) do
    <<a::48, _::4, b::12, _::2, c::62, _::binary>> = :crypto.hash(:sha, @namespace <> request_id)
    <<a::48, 5::4, b::12, 2::2, c::62>>
  end

  defp now, do: System.monotonic_time(:millisecond)

  defp stop(code, why) do
    IO.puts(:stderr, "ask.exs: #{why}")
    System.halt(code)
  end
end

Ask.main(System.argv())
