%% The rows of the bench on OTP's own supervisor: `erl -noshell -run bench main life:1000 life:1` prints a line for each
%% figure, such as `start 1000 5.62`: per child, in microseconds or in bytes. What is measured is that of
%% src/measurements.ts. A measurement is made again and again for some time, and the figure is the median of the second
%% half. With more than a thousand children it is made once, after that time with a thousand. Nothing is logged.
%%
%% A worker is the least there can be, a linked process without proc_lib; the specifications are made beforehand and
%% handed over without a copy.
-module(bench).
-behaviour(supervisor).
-export([main/1, init/1, start_family/2, start_level/2, start_worker/3, worker/3]).
-export([start_server/0, handle_call/3, handle_cast/2]).

-define(FAMILY, 100).

main(Wanted) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    lists:foreach(fun measure_and_print/1, Wanted),
    halt().

measure_and_print(Wanted) ->
    [Name, Size] = string:split(Wanted, ":"),
    N = list_to_integer(Size),
    [io:format("~s ~b ~p~n", [Row, N, Figure]) || {Row, Figure} <- measured(Name, N)].

measured(Name, N) ->
    Now = erlang:monotonic_time(millisecond),
    Repeated = again_until(Now + 50, fun() -> measure(Name, min(N, 1000)) end, []),
    garbage_collect(),
    if N > 1000 -> measure(Name, N); true -> median(Repeated) end.

%% The latest first.
again_until(End, Run, Done) ->
    All = [Run() | Done],
    case erlang:monotonic_time(millisecond) < End of
        true -> again_until(End, Run, All);
        false -> All
    end.

median([First | _] = All) ->
    Last = lists:sublist(All, ceil(length(All) / 2)),
    [{Row, percentile(lists:sort([proplists:get_value(Row, Figures) || Figures <- Last]), 0.5)} || {Row, _} <- First].

measure("life", N) -> life(N);
measure("brutal", N) -> brutal(N);
measure("memory", N) -> memory("memory", N, workers(N, none));
measure("layers", N) -> memory("memory-layer", N, servers(N));
measure("dynamic", N) -> dynamic(N);
measure("latency", N) -> latency(N);
measure("storm", N) -> storm("storm", N, fun families/2);
measure("storm-one-window", N) -> storm("storm-one-window", N, fun one_family/2);
measure("one-for-all", N) -> group("one-for-all", one_for_all, N, N);
measure("rest-for-one", N) -> group("rest-for-one", rest_for_one, N, N - N div 2);
measure("escalation", Levels) -> escalation(Levels);
measure("tree", N) -> tree(N);
measure("use", _) -> use().

%% So many supervisors, one after another, that what they take can be told from noise.
trees(N) -> ceil(min(200, 2000 / N)).

%% The rows.

life(N) ->
    specify(workers(N, none)),
    {Start, Sups} = micros(fun() -> [supervise(one_for_one) || _ <- lists:seq(1, trees(N))] end),
    Which = typical(calls(N), fun(_) -> supervisor:which_children(hd(Sups)) end),
    ById = typical(20, fun(I) -> bounce(hd(Sups), place(I, N)) end),
    {Stop, _} = micros(fun() -> [stop_supervisor(Sup) || Sup <- Sups] end),
    Children = trees(N) * N,
    [{"start", Start / Children}, {"which-children", Which / N},
     {"by-id", ById}, {"stop", Stop / Children}].

%% What one of so many takes in the median of fifteen batches, as a collection may come into any of them.
typical(Count, Run) ->
    Taken = [element(1, micros(fun() -> repeat(Count, fun(I) -> Run(Batch * Count + I) end) end))
             || Batch <- lists:seq(0, 14)],
    percentile(lists:sort(Taken), 0.5) / Count.

calls(N) -> ceil(min(100, 3000 / N)).

bounce(Sup, Id) ->
    ok = supervisor:terminate_child(Sup, Id),
    {ok, _} = supervisor:restart_child(Sup, Id).

memory(Row, N, Specs) ->
    persistent_term:erase(specs),
    Before = used(),
    specify(Specs),
    Held = ceil(min(5000, 10000 / N)),
    Sups = [supervise(one_for_one) || _ <- lists:seq(1, Held)],
    persistent_term:erase(specs),
    Memory = used() - Before,
    drop(Sups),
    [{Row, Memory / (Held * N)}].

brutal(N) ->
    specify([Spec#{shutdown => brutal_kill} || Spec <- workers(N, none)]),
    Sups = [supervise(one_for_one) || _ <- lists:seq(1, trees(N))],
    {Stop, _} = micros(fun() -> [stop_supervisor(Sup) || Sup <- Sups] end),
    [{"stop-brutal", Stop / (trees(N) * N)}].

servers(N) -> [#{id => Id, start => {?MODULE, start_server, []}} || Id <- lists:seq(0, N - 1)].

dynamic(N) ->
    Sups = [supervise(simple_one_for_one) || _ <- lists:seq(1, trees(N))],
    {Taken, _} = micros(fun() -> [start_children(Sup, N) || Sup <- Sups] end),
    drop(Sups),
    [{"start-dynamic", Taken / (trees(N) * N)}].

start_children(Sup, N) ->
    repeat(N, fun(_) -> {ok, _} = supervisor:start_child(Sup, []) end).

%% From the crash until the new worker runs, which says when that was. A hundred restarts in each of ten supervisors.
latency(N) ->
    Supervisors = if N > 10000 -> 1; true -> 10 end,
    Taken = lists:sort(lists:append([latencies(N) || _ <- lists:seq(1, Supervisors)])),
    [{"restart-p50", percentile(Taken, 0.5)}, {"restart-p99", percentile(Taken, 0.99)}].

latencies(N) ->
    specify(workers(N, tell)),
    Sup = supervise(one_for_one),
    Pids = maps:from_list([receive {begun, Id, Pid, _} -> {Id, Pid} end || _ <- lists:seq(1, N)]),
    {Taken, _} = lists:mapfoldl(fun crash_one/2, Pids, [place(I, N) || I <- lists:seq(0, 99)]),
    drop([Sup]),
    Taken.

crash_one(Id, Pids) ->
    #{Id := Pid} = Pids,
    Crashed = erlang:monotonic_time(nanosecond),
    Pid ! crash,
    receive {begun, Id, New, Begun} -> {(Begun - Crashed) / 1000, Pids#{Id := New}} end.

%% All crash at once, in new supervisors each time: of a hundred children each, or one of all.
storm(Name, N, Start) ->
    Storms = min(200, trees(N)),
    Taken = [storm_once(N, Start) || _ <- lists:seq(1, Storms)],
    [{Name, lists:sum(Taken) / (Storms * N)}].

storm_once(N, Start) ->
    Board = board(N),
    {Sup, Families} = Start(N, Board),
    all_run(),
    Taken = crash([Pid || Family <- Families, Pid <- pids(Family)], N, Board),
    drop([Sup]),
    Taken.

families(N, Board) ->
    Sizes = lists:duplicate(N div ?FAMILY, ?FAMILY) ++ [N rem ?FAMILY || N rem ?FAMILY > 0],
    specify([#{id => Id, start => {?MODULE, start_family, [workers(Size, Board), 10000000]}, type => supervisor}
             || {Id, Size} <- lists:enumerate(Sizes)]),
    Sup = supervise(one_for_one),
    {Sup, pids(Sup)}.

one_family(N, Board) ->
    specify(workers(N, Board)),
    Sup = supervise(one_for_one),
    {Sup, [Sup]}.

%% Crashes of the middle child.
group(Name, Strategy, N, Restarts) ->
    Board = board(N),
    specify(workers(N, Board)),
    Sup = supervise(Strategy),
    all_run(),
    Crashes = min(100, trees(N)),
    Taken = [crash([lists:nth(N div 2 + 1, pids(Sup))], Restarts, Board) || _ <- lists:seq(1, Crashes)],
    drop([Sup]),
    [{Name, lists:sum(Taken) / (Crashes * Restarts)}].

%% Supervisors in each other that give up at the first failure.
escalation(Levels) ->
    [Worker] = workers(1, tell),
    specify([level(Levels, Worker)]),
    Sup = supervise(one_for_one),
    First = receive {begun, 0, Pid, _} -> Pid end,
    {Taken, _} = lists:mapfoldl(fun crash_one/2, #{0 => First}, lists:duplicate(crashes(Levels), 0)),
    drop([Sup]),
    [{"escalation", percentile(lists:sort(Taken), 0.5) / Levels}].

crashes(Levels) -> max(20, 100 div Levels).

level(0, Worker) -> Worker;
level(Levels, Worker) ->
    #{id => Levels, start => {?MODULE, start_level, [Levels - 1, Worker]}, type => supervisor}.

start_level(Levels, Worker) ->
    start_family([level(Levels, Worker)], 0).

tree(N) ->
    {Sup, _} = families(N, none),
    Taken = typical(calls(N), fun(_) -> snapshot(Sup) end),
    drop([Sup]),
    [{"tree", Taken / N}].

snapshot(Sup) ->
    [{Id, Pid, case Type of supervisor -> snapshot(Pid); worker -> [] end}
     || {Id, Pid, Type, _} <- supervisor:which_children(Sup)].

%% Calls of a supervised server by its name, one after another.
use() ->
    specify([#{id => db, start => {?MODULE, start_server, []}}]),
    Sup = supervise(one_for_one),
    [{db, Pid, _, _}] = supervisor:which_children(Sup),
    register(db, Pid),
    {Taken, _} = micros(fun() -> repeat(10000, fun(_) -> 42 = gen_server:call(db, query) end) end),
    drop([Sup]),
    [{"use", Taken / 10000}].

%% Supervisors.

supervise(Strategy) ->
    {ok, Sup} = supervisor:start_link(?MODULE, Strategy),
    Sup.

start_family(Children, Intensity) ->
    supervisor:start_link(?MODULE, {family, Children, Intensity}).

stop_supervisor(Sup) ->
    exit(Sup, shutdown),
    receive {'EXIT', Sup, _} -> ok end.

%% Ends supervisors that have served, and waits until nothing is left of them.
drop(Sups) ->
    [exit(Sup, kill) || Sup <- Sups],
    [receive {'EXIT', Sup, _} -> ok end || Sup <- Sups],
    settle().

settle() ->
    case erlang:system_info(process_count) > 200 of
        true -> timer:sleep(1), settle();
        false -> ok
    end.

specify(Specs) ->
    persistent_term:put(specs, Specs).

init(server) ->
    {ok, none};
init({family, Children, Intensity}) ->
    {ok, {flags(one_for_one, Intensity), Children}};
init(simple_one_for_one) ->
    {ok, {flags(simple_one_for_one, 10000000), workers(1, none)}};
init(Strategy) ->
    {ok, {flags(Strategy, 10000000), persistent_term:get(specs)}}.

%% A period that nothing here outlives.
flags(Strategy, Intensity) ->
    #{strategy => Strategy, intensity => Intensity, period => 3600}.

pids(Sup) ->
    lists:reverse([Pid || {_, Pid, _, _} <- supervisor:which_children(Sup)]).

%% Workers: they crash when they are told to, and tell the bench, or the board, when they begin.

workers(Count, Board) ->
    [#{id => Id, start => {?MODULE, start_worker, [self(), Id, Board]}} || Id <- lists:seq(0, Count - 1)].

start_worker(Bench, Id, Board) ->
    {ok, spawn_link(?MODULE, worker, [Bench, Id, Board])}.

worker(Bench, Id, Board) ->
    begun(Bench, Id, Board),
    receive crash -> exit(crash) end.

begun(_, _, none) -> ok;
begun(Bench, Id, tell) -> Bench ! {begun, Id, self(), erlang:monotonic_time(nanosecond)};
begun(Bench, _, Board) ->
    case atomics:sub_get(Board, 1, 1) of
        0 -> Bench ! all_run;
        _ -> ok
    end.

board(Missing) ->
    Board = atomics:new(1, []),
    atomics:put(Board, 1, Missing),
    Board.

crash(Pids, Restarts, Board) ->
    atomics:put(Board, 1, Restarts),
    {Taken, _} = micros(fun() ->
        [Pid ! crash || Pid <- Pids],
        all_run()
    end),
    Taken.

all_run() ->
    receive all_run -> ok end.

%% A server with a state, the counterpart of a layer with a service.

start_server() ->
    gen_server:start_link(?MODULE, server, []).

handle_call(query, _From, State) ->
    {reply, 42, State}.

handle_cast(_Request, State) ->
    {noreply, State}.

%% Gauges.

micros(Run) ->
    Begun = erlang:monotonic_time(nanosecond),
    Result = Run(),
    {(erlang:monotonic_time(nanosecond) - Begun) / 1000, Result}.

used() ->
    [garbage_collect(Pid) || Pid <- processes()],
    erlang:memory(total).

percentile(Sorted, Share) ->
    lists:nth(min(length(Sorted), floor(length(Sorted) * Share) + 1), Sorted).

%% Places all over the list, never the same twice in a row where there is another.
place(I, N) -> (I * 7919) rem N.

repeat(Count, Run) -> repeat(0, Count, Run).

repeat(Count, Count, _) -> ok;
repeat(I, Count, Run) ->
    Run(I),
    repeat(I + 1, Count, Run).
