"""What docs/elixir.md has one write to wait for results works, and keeps nobody for ever."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.other_snippets import ELIXIR

PAGE = Path(__file__).resolve().parents[2] / "docs" / "elixir.md"

BEFORE = """
defmodule Postgrex.Notifications do
  def start_link(_config), do: {:ok, self()}
  def listen(_pid, "nexus_results"), do: {:ok, make_ref()}
end

defmodule MyApp.Repo do
  def config, do: []
end

defmodule MyApp.LLM do
  def start, do: Agent.start_link(fn -> %{} end, name: __MODULE__)
  def result(id), do: Agent.get(__MODULE__, & &1[id])
  def answer(id), do: Agent.update(__MODULE__, &Map.put(&1, id, {:ok, "answer to " <> id}))
end
"""

AFTER = """
alias MyApp.LLM.Results

{:ok, _} = MyApp.LLM.start()
{:ok, results} = Results.start_link([])
notify = fn id -> send(results, {:notification, results, nil, "nexus_results", id}) end

# One waits, is told, and nothing is left of it; so does one that only the look finds.
look = fn _id -> send(results, :look) end

for {id, wake} <- [{"told", notify}, {"found", look}] do
  waiter = Task.async(fn -> Results.await(id) end)
  until = fn until -> if :sys.get_state(results) == %{}, do: until.(until) end
  until.(until)
  MyApp.LLM.answer(id)
  wake.(id)
  {:ok, answer} = Task.await(waiter)
  ^answer = "answer to " <> id
end

0 = map_size(:sys.get_state(results))

# Callers that have timed out: one is forgotten by the next look, one gets no late answer.
late = fn id ->
  try do
    Results.await(id, 1)
    raise "there is an answer"
  catch
    :exit, {:timeout, _} -> :ok
  end
end

late.("forgotten")
send(results, :look)
0 = map_size(:sys.get_state(results))

late.("late")
MyApp.LLM.answer("late")
notify.("late")
0 = map_size(:sys.get_state(results))
{:messages, []} = :erlang.process_info(self(), :messages)
IO.puts("all is well")
"""


@pytest.mark.skipif(ELIXIR is None, reason="Elixir is not installed: the waiter is not run")
def test_a_waiter_is_answered_and_one_that_timed_out_is_forgotten(tmp_path: Path) -> None:
    blocks = re.findall(r"(?m)^```elixir\n(.*?)^```$", PAGE.read_text(), re.S)
    (module,) = [it for it in blocks if it.startswith("defmodule MyApp.LLM.Results do")]
    script = tmp_path / "waiter.exs"
    script.write_text(f"{BEFORE}\n{module}\n{AFTER}")
    assert ELIXIR is not None
    done = subprocess.run(
        [ELIXIR, str(script)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "all is well\n"), done.stderr
