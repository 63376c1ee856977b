#!/usr/bin/env escript
%%! +S 1 +P 1000000
%% gen_servers under a supervisor, on one scheduler. Speaks as worker.py does: lines of
%% `MEASURE COUNT` in, lines of JSON out. The measures are those of ours.py, word for word.
-mode(compile).
-behaviour(gen_server).
-export([main/1, start_link/1, init/1, handle_call/3, handle_cast/2, terminate/2]).

main(_) ->
    logger:set_primary_config(level, none),
    say("{\"measures\": [\"call\", \"call_100\", \"call_timeout\", \"cast\", \"idle\", \"many\","
        " \"restart\", \"unread\"]}", []),
    loop().

loop() ->
    case io:get_line("") of
        eof -> ok;
        Line ->
            [Measure, Count] = string:lexemes(Line, " \n"),
            erlang:garbage_collect(),
            %% in a process of its own: its heap does not carry over into the next measurement
            {Pid, Monitor} = spawn_monitor(
                fun() -> exit({measured, measure(Measure, list_to_integer(Count))}) end),
            receive
                {'DOWN', Monitor, process, Pid, {measured, Figures}} -> answer(Figures)
            end,
            loop()
    end.

answer(Figures) ->
    Pairs = [io_lib:format("\"~s\": ~w", [Name, Value]) || {Name, Value} <- Figures],
    say("{~s}", [lists:join(", ", Pairs)]).

say(Format, Arguments) -> io:format(Format ++ "~n", Arguments).

%% --- the measures ---

measure("call", Count) ->
    with_server(fun(Server) -> [{call, Count / call(Server, Count, infinity)}] end);
measure("call_timeout", Count) ->
    with_server(fun(Server) -> [{call_timeout, Count / call(Server, Count, 5000)}] end);
measure("call_100", Count) ->
    Share = max(1, Count div 100),
    with_server(
        fun(Server) ->
            Began = now_s(),
            Callers = [spawn_monitor(fun() -> call(Server, Share, infinity) end)
                       || _ <- lists:seq(1, 100)],
            [receive {'DOWN', Monitor, process, _, normal} -> ok end || {_, Monitor} <- Callers],
            [{call_100, Share * 100 / (now_s() - Began)}]
        end);
measure("cast", Count) ->
    %% At high priority the poster is not interrupted by the server, as on a loop that nobody
    %% yields: that is what posting costs.
    with_server(
        fun(Server) ->
            process_flag(priority, high),
            Began = now_s(),
            cast(Server, Count),
            Posted = now_s() - Began,
            gen_server:call(Server, ping, infinity),
            [{cast_posted, Count / Posted}, {cast_handled, Count / (now_s() - Began)}]
        end);
measure("restart", Count) ->
    {ok, Supervisor} = supervisor([spec(mortal, {mortal, self()})]),
    First = receive {there, Child, _} -> Child end,
    Taken = restarts(First, Count),
    stop(Supervisor),
    [{restart, lists:nth(max(1, Count div 2), lists:sort(Taken)) * 1.0e6}];
measure("unread", Unread) ->
    with_server(
        fun(Server) ->
            call(Server, 10000, infinity),
            Empty = call(Server, 50000, infinity),
            cast(self(), Unread),
            Full = call(Server, 50000, infinity),
            [{unread_none, Empty / 50000 * 1.0e6}, {unread, Full / 50000 * 1.0e6}]
        end);
measure("idle", Count) ->
    Before = resident(),
    {ok, Supervisor} = supervisor([spec(N, server) || N <- lists:seq(1, Count)]),
    Figures = [{idle, (resident() - Before) / Count}],
    stop(Supervisor),
    Figures;
measure("many", Count) ->
    Stopped = ets:new(stopped, [ordered_set, public]),
    Began = now_s(),
    {ok, Supervisor} = supervisor([spec(N, {numbered, N, Stopped}) || N <- lists:seq(1, Count)]),
    Started = now_s(),
    stop(Supervisor),
    Ended = now_s(),
    Order = [N || {_, N} <- ets:tab2list(Stopped)],
    Order = lists:seq(Count, 1, -1),
    [{start, Started - Began}, {stop, Ended - Started}].

call(Server, Count, Timeout) ->
    Began = now_s(),
    calls(Server, Count, Timeout),
    now_s() - Began.

calls(_, 0, _) -> ok;
calls(Server, N, Timeout) ->
    _ = gen_server:call(Server, ping, Timeout),
    calls(Server, N - 1, Timeout).

cast(_, 0) -> ok;
cast(Server, N) ->
    gen_server:cast(Server, N),
    cast(Server, N - 1).

restarts(_, 0) -> [];
restarts(Child, N) ->
    gen_server:cast(Child, crash),
    Crashed = receive {crash, Time} -> Time end,
    receive {there, Next, Answered} -> [Answered - Crashed | restarts(Next, N - 1)] end.

%% --- the tree ---

with_server(Use) ->
    {ok, Supervisor} = supervisor([spec(server, server)]),
    [{_, Server, _, _}] = supervisor:which_children(Supervisor),
    Figures = Use(Server),
    stop(Supervisor),
    Figures.

supervisor(Specs) ->
    process_flag(trap_exit, true),
    supervisor:start_link(?MODULE, {supervisor, Specs}).

spec(Id, Argument) -> #{id => Id, start => {?MODULE, start_link, [Argument]}}.

stop(Supervisor) ->
    exit(Supervisor, shutdown),
    receive {'EXIT', Supervisor, shutdown} -> ok end.

start_link(Argument) -> gen_server:start_link(?MODULE, Argument, []).

init({supervisor, Specs}) ->
    {ok, {#{intensity => 1000000000, period => 1}, Specs}};
init({mortal, Told}) ->
    gen_server:cast(self(), hello), % its first message comes from itself
    {ok, {mortal, Told}};
init({numbered, N, Stopped}) ->
    process_flag(trap_exit, true),
    {ok, {numbered, N, Stopped}};
init(server) -> {ok, 0}.

handle_call(ping, _, Count) -> {reply, Count + 1, Count + 1}.

handle_cast(hello, {mortal, Told} = State) ->
    Told ! {there, self(), now_s()},
    {noreply, State};
handle_cast(crash, {mortal, Told}) ->
    Told ! {crash, now_s()},
    error(as_told);
handle_cast(_, Count) -> {noreply, Count + 1}.

terminate(_, {numbered, N, Stopped}) ->
    ets:insert(Stopped, {erlang:unique_integer([monotonic]), N});
terminate(_, _) -> ok.

%% --- clocks and memory ---

now_s() -> erlang:monotonic_time(nanosecond) / 1.0e9.

resident() ->
    [erlang:garbage_collect(Process) || Process <- processes()],
    {ok, File} = file:open("/proc/self/statm", [read]),
    {ok, Line} = file:read_line(File),
    ok = file:close(File),
    [_, Pages | _] = string:lexemes(Line, " \n"),
    list_to_integer(Pages) * 4096.
