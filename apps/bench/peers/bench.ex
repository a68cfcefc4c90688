# The rows of the bench on Elixir's DynamicSupervisor: `elixir -e "Bench.main(System.argv())" life:1000 life:1` prints a
# line for each figure, such as `memory 1000 2912.5`: per child, in microseconds or in bytes. What is measured is that of
# src/measurements.ts. A measurement is made again and again for some time, and the figure is the median of the second
# half. With more than a thousand children it is made once, after that time with a thousand. Nothing is logged.
#
# A worker is the least there can be, a linked process without proc_lib. Children are started one after another, as a
# DynamicSupervisor has no list of them.
defmodule Bench do
  @family 100

  # More than these take minutes, as what a stop takes grows with their square.
  @stopped_at_most 10_000

  def main(wanted) do
    :logger.set_primary_config(:level, :none)
    Process.flag(:trap_exit, true)
    Enum.each(wanted, &measure_and_print/1)
    System.halt()
  end

  defp measure_and_print(wanted) do
    [name, size] = String.split(wanted, ":")
    n = String.to_integer(size)
    for {row, figure} <- measured(name, n), do: IO.puts("#{row} #{n} #{figure}")
  end

  defp measured(name, n) do
    now = System.monotonic_time(:millisecond)
    repeated = again_until(now + 50, fn -> Map.new(measure(name, min(n, 1000))) end, [])
    :erlang.garbage_collect()
    if n > 1000, do: measure(name, n), else: median(repeated)
  end

  # The latest first.
  defp again_until(finish, run, done) do
    all = [run.() | done]
    if System.monotonic_time(:millisecond) < finish, do: again_until(finish, run, all), else: all
  end

  defp median(all) do
    last = Enum.take(all, ceil(length(all) / 2))
    for {row, _} <- hd(all), do: {row, percentile(Enum.sort(Enum.map(last, & &1[row])), 0.5)}
  end

  defp measure("life", n), do: life(n)
  defp measure("brutal", n), do: brutal(n)
  defp measure("memory", n), do: memory("memory", n, workers(n, nil))
  defp measure("layers", n), do: memory("memory-layer", n, List.duplicate(server(), n))
  defp measure("dynamic", n), do: dynamic(n)
  defp measure("latency", n), do: latency(n)
  defp measure("storm", n), do: storm("storm", n, &families/2)
  defp measure("storm-one-window", n), do: storm("storm-one-window", n, &one_family/2)
  defp measure("escalation", levels), do: escalation(levels)
  defp measure("tree", n), do: tree(n)
  defp measure("use", _), do: use_server()

  # So many supervisors, one after another, that what they take can be told from noise.
  defp trees(n), do: ceil(min(200, 2000 / n))

  # The rows.

  defp life(n) do
    sups = for _ <- 1..trees(n), do: supervise(workers(n, nil))
    sup = hd(sups)
    which = typical(calls(n), fn -> DynamicSupervisor.which_children(sup) end)
    stop = if n > @stopped_at_most, do: drop(sups), else: elem(micros(fn -> stop_all(sups) end), 0)
    children = trees(n) * n
    figures = [{"which-children", which / n}]
    if n > @stopped_at_most, do: figures, else: [{"stop", stop / children} | figures]
  end

  # What one of so many takes in the median of fifteen batches, as a collection may come into any of them.
  defp typical(count, run) do
    taken = for _ <- 1..15, do: elem(micros(fn -> repeat(count, run) end), 0)
    percentile(Enum.sort(taken), 0.5) / count
  end

  defp calls(n), do: ceil(min(100, 3000 / n))

  defp brutal(n) do
    sups = for _ <- 1..trees(n), do: supervise(workers(n, nil, :brutal_kill))
    {stop, _} = micros(fn -> stop_all(sups) end)
    [{"stop-brutal", stop / (trees(n) * n)}]
  end

  defp memory(row, n, children) do
    before = used()
    held = ceil(min(5000, 10_000 / n))
    sups = for _ <- 1..held, do: supervise(children)
    memory = used() - before
    drop(sups)
    [{row, memory / (held * n)}]
  end

  defp dynamic(n) do
    sups = for _ <- 1..trees(n), do: supervise([])
    children = workers(n, nil)
    {taken, _} = micros(fn -> Enum.each(sups, &start_children(&1, children)) end)
    drop(sups)
    [{"start-dynamic", taken / (trees(n) * n)}]
  end

  # From the crash until the new worker runs, which says when that was. A hundred restarts in each of ten supervisors.
  defp latency(n) do
    supervisors = if n > 10_000, do: 1, else: 10
    taken = Enum.sort(Enum.flat_map(1..supervisors, fn _ -> latencies(n) end))
    [{"restart-p50", percentile(taken, 0.5)}, {"restart-p99", percentile(taken, 0.99)}]
  end

  defp latencies(n) do
    sup = supervise(workers(n, :tell))
    pids = Map.new(1..n, fn _ -> receive(do: ({:begun, id, pid, _} -> {id, pid})) end)
    {taken, _} = Enum.map_reduce(0..99, pids, fn i, pids -> crash_one(rem(i * 7919, n), pids) end)
    drop([sup])
    taken
  end

  defp crash_one(id, pids) do
    crashed = System.monotonic_time(:nanosecond)
    send(pids[id], :crash)

    receive do
      {:begun, ^id, pid, begun} -> {(begun - crashed) / 1000, %{pids | id => pid}}
    end
  end

  # All crash at once, in new supervisors each time: of a hundred children each, or one of all.
  defp storm(name, n, start) do
    storms = min(200, trees(n))
    taken = for _ <- 1..storms, do: storm_once(n, start)
    [{name, Enum.sum(taken) / (storms * n)}]
  end

  defp storm_once(n, start) do
    board = :atomics.new(1, [])
    :atomics.put(board, 1, n)
    {sup, families} = start.(n, board)
    all_run()
    pids = for family <- families, {_, pid, _, _} <- DynamicSupervisor.which_children(family), do: pid
    :atomics.put(board, 1, n)

    {taken, _} =
      micros(fn ->
        Enum.each(pids, &send(&1, :crash))
        all_run()
      end)

    drop([sup])
    taken
  end

  defp families(n, board) do
    sizes = List.duplicate(@family, div(n, @family)) ++ if rem(n, @family) > 0, do: [rem(n, @family)], else: []

    sup =
      supervise(
        for size <- sizes do
          start = {Bench, :start_family, [workers(size, board), 10_000_000]}
          %{id: :family, start: start, type: :supervisor}
        end
      )

    {sup, for({_, pid, _, _} <- DynamicSupervisor.which_children(sup), do: pid)}
  end

  defp one_family(n, board) do
    sup = supervise(workers(n, board))
    {sup, [sup]}
  end

  # Supervisors in each other that give up at the first failure. Each starts its child anew, as it forgets it otherwise.
  defp escalation(levels) do
    sup = supervise([level(levels, hd(workers(1, :tell)))])
    first = receive(do: ({:begun, 0, pid, _} -> pid))
    {taken, _} = Enum.map_reduce(1..max(20, div(100, levels)), %{0 => first}, fn _, pids -> crash_one(0, pids) end)
    drop([sup])
    [{"escalation", percentile(Enum.sort(taken), 0.5) / levels}]
  end

  defp level(0, worker), do: worker

  defp level(levels, worker),
    do: %{id: :level, start: {Bench, :start_level, [levels - 1, worker]}, type: :supervisor}

  def start_level(levels, worker), do: start_family([level(levels, worker)], 0)

  defp tree(n) do
    {sup, _} = families(n, nil)
    taken = typical(calls(n), fn -> snapshot(sup) end)
    drop([sup])
    [{"tree", taken / n}]
  end

  defp snapshot(sup) do
    for {_, pid, type, _} <- DynamicSupervisor.which_children(sup) do
      {pid, if(type == :supervisor, do: snapshot(pid), else: [])}
    end
  end

  # Calls of a supervised server by its name, one after another.
  defp use_server do
    sup = supervise([server()])
    [{_, pid, _, _}] = DynamicSupervisor.which_children(sup)
    Process.register(pid, :db)
    {taken, _} = micros(fn -> repeat(10_000, fn -> 42 = GenServer.call(:db, :query) end) end)
    drop([sup])
    [{"use", taken / 10_000}]
  end

  # Supervisors.

  defp supervise(children) do
    {:ok, sup} = start_family(children, 10_000_000)
    sup
  end

  # A period that nothing here outlives.
  def start_family(children, intensity) do
    {:ok, sup} = DynamicSupervisor.start_link(strategy: :one_for_one, max_restarts: intensity, max_seconds: 3600)
    start_children(sup, children)
    {:ok, sup}
  end

  defp start_children(sup, children),
    do: Enum.each(children, fn child -> {:ok, _} = DynamicSupervisor.start_child(sup, child) end)

  defp stop_supervisor(sup) do
    Process.exit(sup, :shutdown)
    receive(do: ({:EXIT, ^sup, _} -> :ok))
  end

  defp stop_all(sups), do: Enum.each(sups, &stop_supervisor/1)

  # Ends supervisors that have served, and waits until nothing is left of them.
  defp drop(sups) do
    Enum.each(sups, &Process.exit(&1, :kill))
    Enum.each(sups, fn sup -> receive(do: ({:EXIT, ^sup, _} -> :ok)) end)
    settle()
  end

  defp settle do
    if :erlang.system_info(:process_count) > 200 do
      Process.sleep(1)
      settle()
    end
  end

  # Workers: they crash when they are told to, and tell the bench, or the board, when they begin.

  defp workers(count, board, shutdown \\ 5000),
    do: for(id <- 0..(count - 1), do: %{id: id, start: {Bench, :start_worker, [self(), id, board]}, shutdown: shutdown})

  def start_worker(bench, id, board), do: {:ok, spawn_link(Bench, :worker, [bench, id, board])}

  def worker(bench, id, board) do
    begun(bench, id, board)
    receive(do: (:crash -> exit(:crash)))
  end

  defp begun(_, _, nil), do: :ok
  defp begun(bench, id, :tell), do: send(bench, {:begun, id, self(), System.monotonic_time(:nanosecond)})
  defp begun(bench, _, board), do: if(:atomics.sub_get(board, 1, 1) == 0, do: send(bench, :all_run))

  defp all_run, do: receive(do: (:all_run -> :ok))

  # A server with a state, the counterpart of a layer with a service.
  defp server, do: %{id: :server, start: {GenServer, :start_link, [Bench.Server, nil]}}

  # Gauges.

  defp micros(run) do
    begun = System.monotonic_time(:nanosecond)
    result = run.()
    {(System.monotonic_time(:nanosecond) - begun) / 1000, result}
  end

  defp used do
    Enum.each(Process.list(), &:erlang.garbage_collect/1)
    :erlang.memory(:total)
  end

  defp percentile(sorted, share), do: Enum.at(sorted, min(length(sorted) - 1, floor(length(sorted) * share)))

  defp repeat(0, _), do: :ok

  defp repeat(count, run) do
    run.()
    repeat(count - 1, run)
  end
end

defmodule Bench.Server do
  use GenServer

  @impl true
  def init(state), do: {:ok, state}

  @impl true
  def handle_call(:query, _from, state), do: {:reply, 42, state}
end
