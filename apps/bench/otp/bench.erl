%% The rows of the bench on OTP's own supervisor: `erl -noshell -run bench main start 100000`
%% prints what a row takes per child, in microseconds or in bytes. A tenth of the children goes
%% first, to warm up. Nothing is logged.
%%
%% A worker is the least there can be, a linked process without proc_lib; the specifications are
%% made beforehand and handed over without a copy.
-module(bench).
-behaviour(supervisor).
-export([main/1, init/1, start_family/1, start_worker/2, worker/2]).
-export([start_server/0, handle_call/3, handle_cast/2]).

-define(FAMILY, 100).
-define(GROUP, 1000).

main([Row, Count]) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    Children = list_to_integer(Count),
    Measure = measure(Row),
    _ = Measure(Children div 10),
    io:format("~p~n", [Measure(Children) / Children]),
    halt().

measure("start") -> fun start/1;
measure("memory") -> fun memory/1;
measure("restart-few") -> fun restart_few/1;
measure("restart-many") -> fun restart_many/1;
measure("restart-group") -> fun restart_group/1;
measure("stop") -> fun stop/1;
measure("use") -> fun use/1;
measure("dynamic-start") -> fun dynamic_start/1;
measure("dynamic-terminate") -> fun dynamic_terminate/1.

%% The rows.

start(Children) ->
    specify(workers(0, Children, none)),
    {Taken, Sup} = micros(fun() -> supervise(one_for_one) end),
    stop_supervisor(Sup),
    Taken.

memory(Children) ->
    persistent_term:erase(specs),
    Before = used(),
    specify(workers(0, Children, none)),
    Sup = supervise(one_for_one),
    persistent_term:erase(specs),
    After = used(),
    stop_supervisor(Sup),
    After - Before.

stop(Children) ->
    specify(workers(0, Children, none)),
    Sup = supervise(one_for_one),
    {Taken, _} = micros(fun() -> stop_supervisor(Sup) end),
    Taken.

%% A tree of supervisors, each with a window of its own for its few children's restarts. One
%% supervisor at a time: together they would share the cores.
restart_few(Children) ->
    Board = board(Children),
    specify([family(N, Board) || N <- lists:seq(0, Children div ?FAMILY - 1)]),
    Sup = supervise(one_for_one),
    all_run(),
    Families = [pids(Family) || Family <- pids(Sup)],
    Taken = [crash(Pids, ?FAMILY, Board) || Pids <- Families],
    stop_supervisor(Sup),
    lists:sum(Taken).

restart_many(Children) ->
    Board = board(Children),
    specify(workers(0, Children, Board)),
    Sup = supervise(one_for_one),
    all_run(),
    Taken = crash(pids(Sup), Children, Board),
    stop_supervisor(Sup),
    Taken.

restart_group(Children) ->
    Size = min(?GROUP, Children),
    Board = board(Size),
    specify(workers(0, Size, Board)),
    Sup = supervise(one_for_all),
    all_run(),
    Rounds = lists:seq(1, Children div Size),
    Taken = [crash([lists:nth(Round rem Size + 1, pids(Sup))], Size, Board) || Round <- Rounds],
    stop_supervisor(Sup),
    lists:sum(Taken).

%% Calls of a supervised server by its name, one after another.
use(Uses) ->
    specify([#{id => db, start => {?MODULE, start_server, []}}]),
    Sup = supervise(one_for_one),
    {Taken, ok} = micros(fun() -> calls(Uses) end),
    stop_supervisor(Sup),
    Taken.

calls(0) -> ok;
calls(Uses) ->
    42 = gen_server:call(db, query),
    calls(Uses - 1).

start_server() ->
    gen_server:start_link({local, db}, ?MODULE, server, []).

handle_call(query, _From, State) ->
    {reply, 42, State}.

handle_cast(_Request, State) ->
    {noreply, State}.

%% A call for each child, one after another.
dynamic_start(Children) ->
    Sup = supervise(simple_one_for_one),
    {Taken, _} = micros(fun() -> start_children(Sup, Children) end),
    stop_supervisor(Sup),
    Taken.

dynamic_terminate(Children) ->
    Sup = supervise(simple_one_for_one),
    Pids = start_children(Sup, Children),
    {Taken, _} = micros(fun() -> [ok = supervisor:terminate_child(Sup, Pid) || Pid <- Pids] end),
    stop_supervisor(Sup),
    Taken.

start_children(Sup, Children) ->
    [element(2, supervisor:start_child(Sup, [])) || _ <- lists:seq(1, Children)].

%% Supervisors.

supervise(Strategy) ->
    {ok, Sup} = supervisor:start_link(?MODULE, Strategy),
    Sup.

stop_supervisor(Sup) ->
    exit(Sup, shutdown),
    receive {'EXIT', Sup, _} -> ok end.

specify(Specs) ->
    persistent_term:put(specs, Specs).

init(server) ->
    {ok, none};
init({family, Children}) ->
    {ok, {flags(one_for_one), Children}};
init(simple_one_for_one) ->
    {ok, {flags(simple_one_for_one), workers(0, 1, none)}};
init(Strategy) ->
    {ok, {flags(Strategy), persistent_term:get(specs)}}.

%% An intensity that nothing here exceeds, and a period that nothing here outlives.
flags(Strategy) ->
    #{strategy => Strategy, intensity => 10000000, period => 3600}.

family(N, Board) ->
    Children = workers(N * ?FAMILY, ?FAMILY, Board),
    #{id => N, start => {?MODULE, start_family, [Children]}, type => supervisor}.

start_family(Children) ->
    supervisor:start_link(?MODULE, {family, Children}).

pids(Sup) ->
    lists:reverse([Pid || {_, Pid, _, _} <- supervisor:which_children(Sup)]).

%% Workers: they crash when they are told to, and say when all of them run.

workers(First, Count, Board) ->
    Start = {?MODULE, start_worker, [self(), Board]},
    [#{id => Id, start => Start} || Id <- lists:seq(First, First + Count - 1)].

start_worker(Bench, Board) ->
    {ok, spawn_link(?MODULE, worker, [Bench, Board])}.

worker(Bench, Board) ->
    case Board =/= none andalso atomics:sub_get(Board, 1, 1) of
        0 -> Bench ! all_run;
        _ -> ok
    end,
    receive crash -> exit(crash) end.

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

%% Gauges.

micros(Run) ->
    Begun = erlang:monotonic_time(nanosecond),
    Result = Run(),
    {(erlang:monotonic_time(nanosecond) - Begun) / 1000, Result}.

used() ->
    [garbage_collect(Pid) || Pid <- processes()],
    erlang:memory(total).
