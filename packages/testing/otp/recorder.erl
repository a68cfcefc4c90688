%% Runs supervision scenarios on OTP's own supervisor and says what happened.
%%
%%   erl -noshell -noinput -run recorder main FILE CONCURRENCY
%%
%% FILE holds Erlang terms, one scenario each, as runner.ts writes them. For each
%% scenario one JSON object goes to standard output, in the order in which they end:
%%   {"index":N,"millis":[N,...],"expect":[Entry,...]}  or  {"index":N,"broken":"why"}
-module(recorder).
-behaviour(supervisor).
-export([main/1, init/1, log/2, start_supervisor/2, start_worker/2]).

-define(TIME_LIMIT_MILLIS, 120000).

%% journal: a table with everything a scenario's processes note down.
%% observer: the process that does the steps and receives the traces.
-record(run, {journal, observer}).

main([File, Concurrency]) ->
    ok = logger:set_primary_config(level, error),
    _ = logger:remove_handler(default),
    ok = logger:add_handler(?MODULE, ?MODULE, #{}),
    %% Of the messages a supervisor receives only orders to shut down matter here.
    _ = erlang:trace_pattern('receive', [{['_', '_', {'EXIT', '_', shutdown}], [], []}], []),
    {ok, Scenarios} = file:consult(File),
    ok = run_all(Scenarios, list_to_integer(Concurrency), #{}),
    halt(0).

run_all([], _, Running) when map_size(Running) =:= 0 ->
    ok;
run_all([#{index := Index} = Scenario | Rest], Most, Running) when map_size(Running) < Most ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({recorded, record(Scenario)}) end),
    {ok, Timer} = timer:kill_after(?TIME_LIMIT_MILLIS, Pid),
    run_all(Rest, Most, Running#{Monitor => {Index, Timer}});
run_all(Waiting, Most, Running) ->
    receive
        {'DOWN', Monitor, process, _, Outcome} when is_map_key(Monitor, Running) ->
            {{Index, Timer}, Others} = maps:take(Monitor, Running),
            {ok, cancel} = timer:cancel(Timer),
            io:put_chars([json({[{index, Index} | outcome(Outcome)]}), $\n]),
            run_all(Waiting, Most, Others)
    end.

outcome({recorded, Entries}) ->
    [{millis, [Millis || {Millis, _} <- Entries]}, {expect, [Entry || {_, Entry} <- Entries]}];
outcome(Reason) ->
    [{broken, iolist_to_binary(io_lib:format("~0p", [Reason]))}].

%% A handler runs in the process that logs: here the supervisor that gives up.
log(#{msg := {report, #{label := {supervisor, shutdown}}}}, _) ->
    case get(journal) of
        undefined -> ok;
        Journal -> ets:insert(Journal, {{gave_up, self()}})
    end;
log(_, _) ->
    ok.

%% ---- One scenario

record(#{tree := Tree, steps := Steps}) ->
    process_flag(trap_exit, true),
    Run = #run{journal = ets:new(journal, [ordered_set, public]), observer = self()},
    {Entries, {Root, _}} = lists:mapfoldl(
        fun(Step, {Root, State}) -> timed_entry(Run, Step, Root, State) end,
        {none, none},
        [{start, Tree} | Steps]),
    _ = stop_root(Root),
    Entries.

timed_entry(Run, Step, Root, State) ->
    Begin = erlang:monotonic_time(millisecond),
    {Result, Root1} = perform(Run, Step, Root),
    {Root2, Survey} = settle(Root1),
    collect_traces(Run),
    no_process_unseen(Run, Survey),
    State1 = state(Root2, Survey),
    Entry = {[{result, iolist_to_binary(Result)}, {events, take_events(Run)}
              | [{state, State1} || State1 =/= State]]},
    {{erlang:monotonic_time(millisecond) - Begin, Entry}, {Root2, State1}}.

perform(Run, {start, Tree}, none) ->
    case start_supervisor(Run, with_attempts(Tree)) of
        {ok, Pid} -> {"ok", Pid};
        {error, {shutdown, {failed_to_start_child, _, _}}} -> {"error:failed_to_start_child", not_started}
    end;
perform(_, stop, Root) ->
    {stop_root(Root), Root};
perform(_, {advance, Millis}, Root) ->
    timer:sleep(Millis),
    {"ok", Root};
perform(Run, {exit, Id, Reason}, Root) ->
    {leave(current(Run, worker, Id), Reason), Root};
perform(Run, {start_child, Supervisor, Child}, Root) ->
    {call(Run, Supervisor, start_child, child_spec(Run, with_attempts(Child))), Root};
perform(Run, {Call, Supervisor, Id}, Root) ->
    {call(Run, Supervisor, Call, Id), Root}.

%% The root's owner is the observer, so its exit signal is an orderly stop.
stop_root(Root) when is_pid(Root) ->
    Monitor = monitor(process, Root),
    exit(Root, shutdown),
    receive {'DOWN', Monitor, process, Root, _} -> "ok" end;
stop_root(_) ->
    "error:noproc".

leave(none, _) ->
    "error:not_running";
leave(Pid, Reason) ->
    Monitor = monitor(process, Pid),
    case Reason of
        kill -> exit(Pid, kill);
        _ -> Pid ! {leave, Reason}
    end,
    receive {'DOWN', Monitor, process, Pid, _} -> "ok" end.

call(Run, Supervisor, Function, Argument) ->
    case current(Run, supervisor, Supervisor) of
        none -> "error:noproc";
        Pid -> answer(supervisor:Function(Pid, Argument))
    end.

answer(ok) -> "ok";
answer({ok, undefined}) -> "ok:ignore";
answer({ok, Pid}) when is_pid(Pid) -> "ok";
answer({error, Reason}) -> ["error:", atom_to_list(short(Reason))].

short({already_started, _}) -> already_started;
short({bad_combination, _}) -> bad_combination;
short({start_failed, _}) -> start_failed;
short({shutdown, {failed_to_start_child, _, _}}) -> failed_to_start_child;
short(Reason) when is_atom(Reason) -> Reason.

%% ---- Supervisors and workers

%% Counts are kept with the definition: whoever starts a worker, it is the next attempt.
with_attempts(#{type := worker} = Worker) ->
    Worker#{attempts => counters:new(1, [])};
with_attempts(#{type := supervisor, children := Children} = Supervisor) ->
    Supervisor#{children := [with_attempts(Child) || Child <- Children]}.

child_spec(Run, #{type := worker} = Worker) ->
    (maps:with([id, restart, significant, shutdown, type], Worker))
        #{start => {?MODULE, start_worker, [Run, Worker]}};
child_spec(Run, #{type := supervisor} = Supervisor) ->
    (maps:with([id, restart, significant, type], Supervisor))
        #{start => {?MODULE, start_supervisor, [Run, Supervisor]}, shutdown => infinity}.

%% Start functions run in the supervisor above (for the root: in the observer).
start_supervisor(Run, #{id := Id} = Supervisor) ->
    case supervisor:start_link(?MODULE, {Run, Supervisor}) of
        {ok, Pid} ->
            enter(Run, supervisor, Id, Pid),
            note(Run, sup_start, Id),
            {ok, Pid};
        Error ->
            note(Run, sup_start_failed, Id),
            Error
    end.

init({Run, #{children := Children} = Supervisor}) ->
    put(journal, Run#run.journal),
    trace(Run, ['receive']),
    Flags = maps:with([strategy, intensity, period, auto_shutdown], Supervisor),
    {ok, {Flags, [child_spec(Run, Child) || Child <- Children]}}.

start_worker(Run, #{id := Id, start := Outcomes, attempts := Attempts} = Worker) ->
    ok = counters:add(Attempts, 1, 1),
    case lists:nthtail(min(counters:get(Attempts, 1) - 1, length(Outcomes)), Outcomes) of
        [fail | _] ->
            note(Run, start_failed, Id),
            {error, start_failed};
        [ignore | _] ->
            note(Run, ignored, Id),
            ignore;
        _ ->
            Pid = spawn_worker(Run, Worker),
            enter(Run, worker, Id, Pid),
            note(Run, start, Id),
            {ok, Pid}
    end.

%% Returns once nothing the worker does can be missed.
spawn_worker(Run, #{ignores_shutdown := Ignores}) ->
    Starter = self(),
    Pid = spawn_link(fun() ->
        process_flag(trap_exit, true),
        trace(Run, []),
        Starter ! {up, self()},
        idle(Ignores)
    end),
    receive {up, Pid} -> Pid end.

idle(Ignores) ->
    receive
        {leave, Reason} -> exit(Reason);
        {'EXIT', _, shutdown} when Ignores -> idle(Ignores);
        {'EXIT', _, Reason} -> exit(Reason)
    end.

%% ---- The journal

%% Exit traces are stamped from the series that unique_integer([monotonic]) draws
%% from. Stamps of starts and of exits are thus in one order, that of their causes.
trace(#run{observer = Observer}, More) ->
    erlang:trace(self(), true, [procs, strict_monotonic_timestamp, {tracer, Observer} | More]).

note(Run, Kind, Id) ->
    note(Run, erlang:unique_integer([monotonic]), Kind, [{id, Id}]).

note(#run{journal = Journal}, Stamp, Kind, Fields) ->
    ets:insert(Journal, {{event, Stamp}, {[{ev, Kind} | Fields]}}).

take_events(#run{journal = Journal}) ->
    Events = ets:select(Journal, [{{{event, '_'}, '$1'}, [], ['$1']}]),
    true = ets:match_delete(Journal, {{event, '_'}, '_'}),
    Events.

%% The supervisor above is whoever runs this.
enter(#run{journal = Journal}, Kind, Id, Pid) ->
    ets:insert(Journal, [{{process, Pid}, Kind, Id, self()}, {{current, Kind, Id}, Pid}]).

current(#run{journal = Journal}, Kind, Id) ->
    case ets:lookup(Journal, {current, Kind, Id}) of
        [{_, Pid}] -> Pid;
        [] -> none
    end.

%% Turns the traces that have come in into events.
collect_traces(Run) ->
    Delivered = erlang:trace_delivered(all),
    receive {trace_delivered, all, Delivered} -> ok end,
    collect_arrived(Run).

collect_arrived(Run) ->
    receive
        Trace when element(1, Trace) =:= trace_ts ->
            handle_trace(Run, Trace),
            collect_arrived(Run)
    after 0 -> ok
    end.

handle_trace(#run{journal = Journal}, {trace_ts, Pid, 'receive', {'EXIT', From, shutdown}, _}) ->
    case ets:lookup(Journal, {process, Pid}) of
        [{_, supervisor, _, From}] -> ets:insert(Journal, {{told, Pid}});
        _ -> ok
    end;
handle_trace(#run{journal = Journal} = Run, {trace_ts, Pid, exit, Reason, {_, Stamp}}) ->
    case ets:take(Journal, {process, Pid}) of
        [{_, Kind, Id, _}] ->
            true = ets:delete_object(Journal, {{current, Kind, Id}, Pid}),
            note_exit(Run, Stamp, Kind, Pid, [{id, Id}, {reason, Reason}]);
        %% A supervisor that never came up, or a process that is none of ours.
        [] -> ok
    end;
handle_trace(_, _) ->
    ok.

note_exit(Run, Stamp, worker, _, Fields) ->
    note(Run, Stamp, stop, Fields);
note_exit(#run{journal = Journal} = Run, Stamp, supervisor, Pid, Fields) ->
    Why = case {ets:member(Journal, {gave_up, Pid}), ets:member(Journal, {told, Pid})} of
        {true, _} -> intensity;
        {false, true} -> told;
        {false, false} -> auto_shutdown
    end,
    note(Run, Stamp, sup_stop, Fields ++ [{why, Why}]).

%% ---- Waiting until nothing more will happen

settle(Root) when is_pid(Root) ->
    receive
        {'EXIT', Root, Reason} -> {{exited, Reason}, []}
    after 0 ->
        try {Root, survey(<<"root">>, Root)}
        catch throw:busy -> timer:sleep(1), settle(Root)
        end
    end;
settle(Ended) ->
    {Ended, []}.

%% A tree is at rest when every supervisor answers, none is about to try a restart
%% again, and every process listed lives: a dead one is an exit not yet dealt with.
survey(Id, Pid) ->
    Children = lists:reverse(ask(which_children, Pid)),
    Below = lists:append([survey_child(Child) || Child <- Children]),
    Counts = ask(count_children, Pid),
    Listed = [listed(ChildId, ChildPid) || {ChildId, ChildPid, _, _} <- Children],
    [{supervisor, Id, Pid, Counts, Listed} | Below].

survey_child({_, restarting, _, _}) -> throw(busy);
survey_child({_, undefined, _, _}) -> [];
survey_child({Id, Pid, Type, _}) ->
    is_process_alive(Pid) orelse throw(busy),
    case Type of
        supervisor -> survey(Id, Pid);
        worker -> [{worker, Id, Pid}]
    end.

ask(Function, Pid) ->
    try supervisor:Function(Pid)
    catch exit:_ -> throw(busy)
    end.

listed(Id, undefined) -> <<"-", Id/binary>>;
listed(Id, _) -> Id.

%% The processes that started and did not exit are those the supervisors list.
no_process_unseen(#run{journal = Journal}, Survey) ->
    Entered = ets:select(Journal, [{{{process, '$1'}, '_', '_', '_'}, [], ['$1']}]),
    Surveyed = [element(3, Process) || Process <- Survey],
    lists:sort(Entered) =:= lists:sort(Surveyed) orelse error({unseen, Entered, Surveyed}).

state(Root, Survey) ->
    Workers = lists:sort([Id || {worker, Id, _} <- Survey]),
    Supervisors = lists:sort([{Id, {[{count, counts(Counts)}, {children, Listed}]}}
                              || {supervisor, Id, _, Counts, Listed} <- Survey]),
    {[{root, root_state(Root)}, {workers, Workers}, {supervisors, {Supervisors}}]}.

root_state(Pid) when is_pid(Pid) -> alive;
root_state({exited, Reason}) -> iolist_to_binary(["exited:", atom_to_list(Reason)]);
root_state(not_started) -> not_started.

counts(Counts) ->
    [proplists:get_value(Name, Counts) || Name <- [specs, active, supervisors, workers]].

%% ---- JSON: {[{Name, Value}]} is an object

json({Fields}) ->
    [${, lists:join($,, [[json(Name), $:, json(Value)] || {Name, Value} <- Fields]), $}];
json(List) when is_list(List) ->
    [$[, lists:join($,, [json(Value) || Value <- List]), $]];
json(Number) when is_integer(Number) ->
    integer_to_binary(Number);
json(Atom) when is_atom(Atom) ->
    json(atom_to_binary(Atom));
json(Text) when is_binary(Text) ->
    [$", [escaped(Character) || <<Character>> <= Text], $"].

escaped(Character) when Character =:= $"; Character =:= $\\ -> [$\\, Character];
escaped(Character) -> Character.
