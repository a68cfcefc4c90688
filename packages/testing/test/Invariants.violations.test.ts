import { describe } from "@effect/vitest"
import { ExitReason, type SupervisionTree, type SupervisorEvent } from "coppice"
import {
  a,
  a2,
  app,
  at,
  b,
  b2,
  c,
  c2,
  child,
  closing,
  compare,
  dynamic,
  end,
  finds,
  gaveUp,
  type Item,
  l,
  learn,
  n,
  nested,
  nestedUp,
  type Node,
  note,
  oneForAll,
  oneForOne,
  p,
  pool,
  poolOf,
  q,
  r,
  restForOne,
  supervisor,
  three,
  up,
  within,
  x,
  y,
  z
} from "./support/reading.ts"

describe("the order of starts", () => {
  finds({
    "S1: one out of turn, in the first start": {
      items: [oneForOne, ...a.starts, c.starting],
      violations: ["app/c at 0 ms, ChildStarting of incarnation 1: app/b is to be started before it (S1)"]
    },
    "S1: one out of turn, in a list that is learned in the middle of the start": {
      items: [
        learn(supervisor("app", [
          child("app/a", { state: "running", incarnation: 1 }),
          child("app/b", { state: "starting", incarnation: 1 }),
          child("app/c")
        ])),
        ...a.starts,
        c.starting
      ],
      violations: ["app/c at 0 ms, ChildStarting of incarnation 1: app/b is to be started before it (S1)"]
    },
    "S1: one out of turn, in a list of which the first is gone by the latest snapshot": {
      items: [
        oneForOne,
        learn(supervisor("app", [
          child("app/b", { state: "running", incarnation: 1 }),
          child("app/c", { state: "starting", incarnation: 1 })
        ])),
        ...a.starts,
        c.starting
      ],
      violations: ["app/c at 0 ms, ChildStarting of incarnation 1: app/b is to be started before it (S1)"]
    },
    "S1: one that is not in the list": {
      items: [oneForOne, ...a.starts, at("app/x").starting],
      violations: ["app/x at 0 ms, ChildStarting of incarnation 1: it is not in the list (S1)"],
      options: { callsAreNoted: true }
    },
    "S2: a supervisor that is up without some": {
      items: [oneForOne, ...a.starts, app.up, ...at("app/x").starts],
      violations: [
        "app at 0 ms, SupervisorStarted of incarnation 1: app/b has not been started (S2)",
        "app at 0 ms, SupervisorStarted of incarnation 1: app/c has not been started (S2)"
      ]
    },
    "S2: a supervisor that is up before its last start is answered": {
      items: [oneForOne, ...a.starts, ...b.starts, c.starting, app.up],
      violations: ["app at 0 ms, SupervisorStarted of incarnation 1: app/c is starting (S2)"]
    },
    "S2: a supervisor that is up twice": {
      items: [oneForOne, ...up, app.up],
      violations: ["app at 0 ms, SupervisorStarted of incarnation 1: it was up (S2)"]
    },
    "S3: a supervisor that is up though a start has failed": {
      items: [
        learn(supervisor("app", [child("app/a"), child("app/b")])),
        ...a.starts,
        b.starting,
        b.startFailed,
        app.up
      ],
      violations: ["app at 0 ms, SupervisorStarted of incarnation 1: its start has failed or was aborted (S3)"]
    },
    "S3: a start after one that failed": {
      items: [oneForOne, ...a.starts, b.starting, b.startFailed, c.starting],
      violations: ["app/c at 0 ms, ChildStarting of incarnation 1: its supervisor is being stopped (Q7)"]
    },
    "S3: a start over, before all that is up has stopped": {
      items: [oneForOne, ...a.starts, ...b.starts, c.starting, c.startFailed, b.stopped, a.starting],
      violations: [
        "app/a at 0 ms, ChildStarting of incarnation 1: its incarnation 1 is running (R7)",
        "app/a at 0 ms, ChildStarting of incarnation 1: its incarnation before was 1 (R7)",
        "app/a at 0 ms, ChildStarting of incarnation 1: its supervisor is being stopped (Q7)"
      ]
    },
    "S8: two starts at once": {
      items: [oneForOne, a.starting, b.starting],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 1: app/a is starting (S8)"]
    },
    "S8: an exit that is judged in the middle of a start": {
      items: [oneForOne, ...up, b.left("restart"), b.restarting, b2.starting, a.left("give-up")],
      violations: ["app/a at 0 ms, ChildExited of incarnation 1: app/b is starting (S8)"]
    },
    "S8: a supervisor that gives up in the middle of a start": {
      items: [oneForOne, ...up, b.left("restart"), b.restarting, b2.starting, app.gaveUp("c")],
      violations: [
        "app at 0 ms, SupervisorGaveUp of incarnation 1: app/b is starting (S8)",
        "app at 0 ms, SupervisorGaveUp of incarnation 1: app/c is running (I7)"
      ]
    },
    "Q7: a start after one that was aborted": {
      items: [oneForOne, ...a.starts, ...b.starts, c.starting, b.stopped, at("app/c", 2).starting],
      violations: [
        "app/c at 0 ms, ChildStarting of incarnation 2: its incarnation 1 is starting (R7)",
        "app/c at 0 ms, ChildStarting of incarnation 2: its supervisor is being stopped (Q7)"
      ]
    },
    "Q7: a start after automatic shutdown": {
      items: [
        learn(
          supervisor("app", three({ restart: "transient", significant: true }), { autoShutdown: "any-significant" })
        ),
        ...up,
        b.left("shut-down", ExitReason.normal),
        b2.starting
      ],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 2: its supervisor is being stopped (Q7)"]
    },
    "G1: another than the one that is restarted": {
      items: [oneForOne, ...up, b.left("restart"), c.stopped, b.restarting, c2.starting],
      violations: ["app/c at 0 ms, ChildStarting of incarnation 2: app/b is to be started before it (G1)"]
    },
    "G2: a group out of turn": {
      items: [oneForAll, ...up, b.left("restart"), b.restarting, c.stopped, a.stopped, ...a2.starts, c2.starting],
      violations: ["app/c at 0 ms, ChildStarting of incarnation 2: app/b is to be started before it (G2)"]
    },
    "G3: a group that does not begin with the one that left": {
      items: [restForOne, ...up, b.left("restart"), b.restarting, c.stopped, c2.starting],
      violations: ["app/c at 0 ms, ChildStarting of incarnation 2: app/b is to be started before it (G3)"]
    },
    "G2: a group that is not started to its end, by the next exit": {
      items: [
        oneForAll,
        ...up,
        b.left("restart"),
        b.restarting,
        c.stopped,
        a.stopped,
        ...a2.starts,
        ...b2.starts,
        a2.left("give-up")
      ],
      violations: ["app/a at 0 ms, ChildExited of incarnation 2: app/c was to be started before that (G2)"]
    },
    "G2: a group that is not started to its end, by the next restart": {
      items: [
        learn(supervisor("app", three(), { strategy: "one-for-all", intensity: 2 })),
        ...up,
        b.left("restart"),
        b.restarting,
        c.stopped,
        a.stopped,
        ...a2.starts,
        b2.restarting
      ],
      violations: [
        "app/b at 0 ms, ChildRestarting of incarnation 2: its incarnation is 1 (R7)",
        "app/b at 0 ms, ChildRestarting of incarnation 2: there was no exit or failed start to restart it for (R5, F8)",
        "app/b at 0 ms, ChildRestarting of incarnation 2: app/b was to be started before that (G2)"
      ]
    },
    "G2: a group that is not started to its end, by giving up": {
      items: [oneForAll, ...up, b.left("restart"), b.restarting, c.stopped, a.stopped, ...a2.starts, app.gaveUp("c")],
      violations: ["app at 0 ms, SupervisorGaveUp of incarnation 1: app/b was to be started before that (G2)"]
    },
    "G2: a group that is not started to its end, by a snapshot": {
      items: [
        oneForAll,
        ...up,
        b.left("restart"),
        b.restarting,
        c.stopped,
        a.stopped,
        ...a2.starts,
        compare({
          ...supervisor("app", [
            child("app/a", { state: "running", incarnation: 2 }),
            child("app/b", { incarnation: 1 }),
            child("app/c", { incarnation: 1 })
          ]),
          state: "running"
        })
      ],
      violations: ["app at 0 ms, the tree: app/b was to be started before that (G2)"]
    },
    "G2: a group out of turn, after one that is left down": {
      items: [
        learn(supervisor("app", [...three({ onExhausted: "give-up" }), child("app/d")], { strategy: "one-for-all" })),
        ...up.slice(0, -1),
        ...at("app/d").starts,
        app.up,
        a.left("restart"),
        a.restarting,
        at("app/d").stopped,
        c.stopped,
        b.stopped,
        ...a2.starts,
        b2.starting,
        b2.startFailed,
        b2.failed,
        at("app/d", 2).starting
      ],
      violations: ["app/d at 0 ms, ChildStarting of incarnation 2: app/c is to be started before it (G2)"]
    },
    "the group restart of one that was left down": {
      items: [
        learn(supervisor("app", three({ onExhausted: "give-up" }), { strategy: "one-for-all" })),
        ...up,
        b.left("fail"),
        b.failed,
        a.left("restart"),
        a.restarting,
        c.stopped,
        ...a2.starts,
        b2.starting
      ],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 2: its backoff has ended: it is to be left down (G2)"]
    },
    "a start that nothing has called for": {
      items: [
        oneForOne,
        ...up,
        b.left("restart"),
        b.restarting,
        ...b2.starts,
        note("Starting", "app/x"),
        at("app/y").starting
      ],
      violations: ["app/y at 0 ms, ChildStarting of incarnation 1: neither a restart nor a call asks for its start"],
      options: { callsAreNoted: true }
    },
    "EL8: more children than there may be": {
      items: [
        pool,
        at("pool").up,
        poolOf(dynamic("p"), dynamic("q"), dynamic("r")),
        ...p.starts,
        ...q.starts,
        r.starting
      ],
      violations: ["pool/r at 0 ms, ChildStarting of incarnation 1: there are 2 children, and room for no more (EL8)"]
    }
  })
})

describe("the order of stops", () => {
  const outOfTurn = ["app/b at 0 ms, ChildStopped of incarnation 1: app/a was stopped before it (T1)"]
  const exhaustible = three({ onExhausted: "escalate" })

  finds({
    "T1: in a group restart": {
      items: [oneForAll, ...up, c.left("restart"), c.restarting, a.stopped, b.stopped],
      violations: outOfTurn
    },
    "T1: in a group that is going to wait": {
      items: [
        learn(supervisor("app", exhaustible, { strategy: "one-for-all" })),
        ...up,
        c.left("restart"),
        a.stopped,
        b.stopped,
        c.backingOff()
      ],
      violations: outOfTurn
    },
    "T1: after giving up": {
      items: [
        learn(supervisor("app", three(), { intensity: 0 })),
        ...up,
        c.left("give-up"),
        app.gaveUp("c"),
        a.stopped,
        b.stopped
      ],
      violations: outOfTurn
    },
    "T1: after automatic shutdown": {
      items: [
        learn(
          supervisor("app", three({ restart: "temporary", significant: true }), { autoShutdown: "any-significant" })
        ),
        ...up,
        c.left("shut-down"),
        a.stopped,
        b.stopped
      ],
      violations: outOfTurn
    },
    "T1: after a first start that failed": {
      items: [oneForOne, ...a.starts, ...b.starts, c.starting, c.startFailed, a.stopped, b.stopped],
      violations: outOfTurn
    },
    "T1: after a start that was aborted": {
      items: [
        oneForOne,
        ...up,
        c.left("restart"),
        c.restarting,
        c2.starting,
        a.stopped,
        b.stopped
      ],
      violations: outOfTurn
    },
    "T1: when all is closed from outside": {
      items: [
        oneForOne,
        ...up,
        learn({ ...supervisor("app", three({ state: "running", incarnation: 1 })), state: "running" }),
        closing,
        a.stopped,
        b.stopped
      ],
      violations: outOfTurn
    },
    "T1: in a nested supervisor, when all is closed from outside": {
      items: [nested, ...nestedUp, closing, x.stopped, y.stopped],
      violations: ["app/n/y at 0 ms, ChildStopped of incarnation 1: app/n/x was stopped before it (T1)"]
    },
    "T1: at any time, where all calls are noted": {
      items: [
        oneForOne,
        ...up,
        note("Terminating", "app/a"),
        a.stopped,
        note("Terminated", "app/a"),
        note("Starting", "app/a"),
        ...a2.starts,
        c.stopped,
        a2.stopped,
        b.stopped
      ],
      violations: outOfTurn,
      options: { callsAreNoted: true }
    },
    "G1: a sibling of the one that is restarted": {
      items: [oneForOne, ...up, b.left("restart"), b.restarting, c.stopped, ...b2.starts],
      violations: [
        "app/b at 0 ms, ChildStarting of incarnation 2: app/c was stopped, which the restart of app/b spares (G1)"
      ]
    },
    "G3: one before the one that is restarted": {
      items: [restForOne, ...up, b.left("restart"), b.restarting, c.stopped, a.stopped, ...b2.starts],
      violations: [
        "app/b at 0 ms, ChildStarting of incarnation 2: app/a was stopped, which the restart of app/b spares (G3)"
      ]
    },
    "G2: none, though all are restarted": {
      items: [oneForAll, ...up, b.left("restart"), b.restarting, c.stopped, a2.starting],
      violations: [
        "app/a at 0 ms, ChildStarting of incarnation 2: its incarnation 1 is running (R7)",
        "app/a at 0 ms, ChildStarting of incarnation 2: app/a is to be stopped before (G2)"
      ]
    },
    "G3: some, though all behind are restarted": {
      items: [
        learn(supervisor("app", [...three(), child("app/d")], { strategy: "rest-for-one" })),
        ...a.starts,
        ...b.starts,
        ...c.starts,
        ...at("app/d").starts,
        app.up,
        b.left("restart"),
        b.restarting,
        at("app/d").stopped,
        b2.starting
      ],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 2: app/c is to be stopped before (G3)"]
    },
    "G2, G3: none, though the group waits": {
      items: [
        learn(supervisor("app", exhaustible, { strategy: "rest-for-one" })),
        ...up,
        b.left("restart"),
        b.backingOff()
      ],
      violations: ["app/b at 0 ms, ChildBackingOff of incarnation 1: app/c is to be stopped before (G2, G3)"]
    },
    "T6: one that does not run": {
      items: [oneForOne, ...up, b.left("restart"), b.stopped],
      violations: ["app/b at 0 ms, ChildStopped of incarnation 1: it is leaving (T6)"]
    }
  })
})

describe("incarnations", () => {
  finds({
    "R7: two at once": {
      items: [oneForOne, ...up, b2.starting],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 2: its incarnation 1 is running (R7)"]
    },
    "R7: two at once, both the first": {
      items: [oneForOne, ...up, b.starting],
      violations: [
        "app/b at 0 ms, ChildStarting of incarnation 1: its incarnation 1 is running (R7)",
        "app/b at 0 ms, ChildStarting of incarnation 1: its incarnation before was 1 (R7)"
      ]
    },
    "R7: a number left out": {
      items: [oneForOne, ...up, b.left("restart"), b.restarting, at("app/b", 3).starting],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 3: its incarnation before was 1 (R7)"]
    },
    "R7: numbers that begin anew in a restart": {
      items: [oneForOne, ...up, b.left("restart"), b.restarting, b.starting],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 1: its incarnation before was 1 (R7)"]
    },
    "R7: numbers that begin anew in a group restart": {
      items: [restForOne, ...up, b.left("restart"), b.restarting, c.stopped, ...b2.starts, c.starting],
      violations: ["app/c at 0 ms, ChildStarting of incarnation 1: its incarnation before was 1 (R7)"]
    },
    "R7: numbers that begin anew though nobody has deleted the child": {
      items: [
        oneForOne,
        ...up,
        note("Terminating", "app/b"),
        b.stopped,
        note("Terminated", "app/b"),
        note("Starting", "app/b"),
        b.starting,
        note("Deleting", "app/c"),
        note("Starting", "app/c"),
        note("Terminating", "app/c"),
        b.started,
        c.stopped,
        c.starting
      ],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 1: its incarnation before was 1 (R7)"],
      options: { callsAreNoted: true }
    },
    "R7: an event of another": {
      items: [oneForOne, ...up, b2.left("restart")],
      violations: ["app/b at 0 ms, ChildExited of incarnation 2: its incarnation is 1 (R7)"]
    },
    "R7: an event of a child that never started": {
      items: [oneForOne, ...up, at("app/x").stopped, at("other/x").stopped],
      violations: [
        "app/x at 0 ms, ChildStopped of incarnation 1: it has not been started (R7)",
        "other/x at 0 ms, ChildStopped of incarnation 1: it has not been started (R7)"
      ]
    },
    "R7: a supervisor in another than its child's": {
      items: [nested, n.starting, ...x.starts, ...y.starts, at("app/n", 2).up],
      violations: ["app/n at 0 ms, SupervisorStarted of incarnation 2: it lives in incarnation 1 (R7)"]
    },
    "R7: a supervisor that is built in a child that has ended": {
      items: [nested, ...nestedUp, z.stopped, within.ended, l.stopped, z.starting],
      violations: [
        "app/l/in/z at 0 ms, ChildStarting of incarnation 1: app/l, in which it would live, does not live (R7)"
      ]
    },
    "R7: a supervisor that is built in a child that has not begun": {
      items: [nested, n.starting, z.starting],
      violations: [
        "app/l/in/z at 0 ms, ChildStarting of incarnation 1: app/l, in which it would live, does not live (R7)"
      ]
    },
    "R7: a supervisor that is built in a child whose start has failed": {
      items: [nested, n.starting, ...x.starts, x.stopped, n.startFailed, x.starting],
      violations: ["app/n/x at 0 ms, ChildStarting of incarnation 1: app/n, in which it would live, does not live (R7)"]
    },
    "S1: a start that is answered twice": {
      items: [oneForOne, ...up, b.started, b.ignored, b.startFailed],
      violations: [
        "app/b at 0 ms, ChildStarted of incarnation 1: it is running (S1)",
        "app/b at 0 ms, ChildIgnored of incarnation 1: it is running (S1)",
        "app/b at 0 ms, ChildStartFailed of incarnation 1: it is down (S1)"
      ]
    },
    "S1: a start that is answered twice before the child is ready": {
      items: [learn(supervisor("app", three({ probes: ["readiness"] }))), ...a.starts, a.started, a.ignored],
      violations: [
        "app/a at 0 ms, ChildStarted of incarnation 1: its start was answered (S1)",
        "app/a at 0 ms, ChildIgnored of incarnation 1: its start was answered (S1)"
      ]
    },
    "a sibling that does not wait until the one before is ready": {
      items: [learn(supervisor("app", three({ probes: ["readiness"] }))), ...a.starts, b.starting],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 1: app/a is starting (S8)"]
    },
    "a child that is ready without having to be": {
      items: [oneForOne, ...a.starts, a.ready],
      violations: ["app/a at 0 ms, ChildReady of incarnation 1: it was not to become ready"]
    },
    "a child that is ready twice": {
      items: [...a.starts, a.ready, a.ready],
      violations: ["app/a at 0 ms, ChildReady of incarnation 1: it was not to become ready"]
    },
    "the health of a child that nobody watches": {
      items: [oneForOne, ...up, a.healthy],
      violations: ["app/a at 0 ms, ChildHealthChanged of incarnation 1: nobody watches it"]
    },
    "the health of a child that does not run": {
      items: [learn(supervisor("app", three({ probes: ["liveness"] }))), ...up, a.left("restart"), a.healthy],
      violations: ["app/a at 0 ms, ChildHealthChanged of incarnation 1: it is leaving"]
    },
    "time that goes back": {
      items: [oneForOne, at("app/a", 1, 5).starting, at("app/a", 1, 4).started],
      violations: ["app/a at 4 ms, ChildStarted of incarnation 1: time went back"]
    }
  })
})

describe("what is done about a child that left", () => {
  const kinds = (fields: Partial<Node>, settings?: Partial<SupervisionTree.Settings>) => [
    learn(supervisor("app", three(fields), settings)),
    ...up
  ]
  const verdict = (verdict: SupervisorEvent.Verdict, ...expected: ReadonlyArray<SupervisorEvent.Verdict>) => [
    `app/b at 0 ms, ChildExited of incarnation 1: verdict "${verdict}", where ${
      expected.map((other) => `"${other}"`).join(", ")
    } can be (R1–R4, A1–A3)`
  ]
  const significant = { restart: "transient", significant: true } as const

  finds({
    "R1: a permanent child that is not restarted": {
      items: [...kinds({}), b.left("keep", ExitReason.normal)],
      violations: verdict("keep", "restart", "give-up")
    },
    "R2: a transient child that is restarted after a clean exit": {
      items: [...kinds({ restart: "transient" }), b.left("restart", ExitReason.normal)],
      violations: verdict("restart", "give-up", "keep")
    },
    "R2: a transient child that is not restarted after a crash": {
      items: [...kinds({ restart: "transient" }), b.left("keep")],
      violations: verdict("keep", "restart", "give-up")
    },
    "R3: a temporary child that is restarted": {
      items: [...kinds({ restart: "temporary" }), b.left("restart")],
      violations: verdict("restart", "give-up", "remove")
    },
    "R3: a temporary child that is started once more": {
      items: [...kinds({ restart: "temporary" }), b.left("remove"), b2.starting],
      violations: ["app/b at 0 ms, ChildStarting of incarnation 2: it is listed no more (R3)"]
    },
    "R4: a transient child that is forgotten": {
      items: [...kinds({ restart: "transient" }), b.left("remove", ExitReason.normal)],
      violations: verdict("remove", "give-up", "keep")
    },
    "D3: a transient child of a dynamic supervisor that is kept": {
      items: [
        learn(supervisor("app", [], { dynamic: true })),
        app.up,
        learn({ ...supervisor("app", three({ restart: "transient" }), { dynamic: true }), state: "running" }),
        ...a.starts,
        ...b.starts,
        b.left("keep", ExitReason.normal)
      ],
      violations: verdict("keep", "give-up", "remove")
    },
    "D3: a child of a dynamic supervisor that is started again though it has ended for good": {
      items: [
        pool,
        at("pool").up,
        poolOf(dynamic("p", { restart: "transient" })),
        ...p.starts,
        p.stopped,
        at("pool/p", 2).starting
      ],
      violations: ["pool/p at 0 ms, ChildStarting of incarnation 2: it is listed no more (R3)"]
    },
    "A1: a significant child whose end is not that of its supervisor": {
      items: [...kinds(significant, { autoShutdown: "any-significant" }), b.left("keep", ExitReason.normal)],
      violations: verdict("keep", "give-up", "shut-down")
    },
    "A2: the last significant child, whose end is not that of its supervisor": {
      items: [
        ...kinds(significant, { autoShutdown: "all-significant" }),
        a.left("keep", ExitReason.normal),
        c.left("keep", ExitReason.normal),
        b.left("keep", ExitReason.normal)
      ],
      violations: verdict("keep", "give-up", "shut-down")
    },
    "A2: the last significant child, beside one that is down, whatever it is": {
      items: [
        ...kinds(significant, { autoShutdown: "all-significant" }),
        ...at("app/guest").starts,
        at("app/guest").stopped,
        a.left("keep", ExitReason.normal),
        c.left("keep", ExitReason.normal),
        b.left("keep", ExitReason.normal)
      ],
      violations: verdict("keep", "give-up", "shut-down")
    },
    "A2: a significant child whose end is that of its supervisor, though another runs": {
      items: [
        ...kinds(significant, { autoShutdown: "all-significant" }),
        a.left("keep", ExitReason.normal),
        b.left("shut-down", ExitReason.normal)
      ],
      violations: verdict("shut-down", "give-up", "keep")
    },
    "A5: a child that is not significant, whose end is that of its supervisor": {
      items: [
        ...kinds({ restart: "transient" }, { autoShutdown: "any-significant" }),
        b.left("shut-down", ExitReason.normal)
      ],
      violations: verdict("shut-down", "give-up", "keep")
    },
    "A8: a supervisor that shuts itself down though it never does": {
      items: [...kinds(significant), b.left("shut-down", ExitReason.normal)],
      violations: verdict("shut-down", "give-up", "keep")
    },
    "a child that is left down though its backoff is to escalate": {
      items: [...kinds({ onExhausted: "escalate" }), b.left("fail")],
      violations: verdict("fail", "restart", "give-up")
    },
    "a significant child that is left down though that is the end of its supervisor": {
      items: [
        ...kinds({ ...significant, onExhausted: "give-up" }, { autoShutdown: "any-significant" }),
        b.left("fail")
      ],
      violations: verdict("fail", "restart", "give-up", "shut-down")
    },
    "R5: an exit of a child that does not run": {
      items: [...kinds({}), b.left("restart"), b.left("restart")],
      violations: ["app/b at 0 ms, ChildExited of incarnation 1: it is leaving (R5)"]
    },
    "Q5: an exit that is judged before the supervisor is up": {
      items: [oneForOne, ...a.starts, ...b.starts, ...c.starts, a.left("restart")],
      violations: ["app/a at 0 ms, ChildExited of incarnation 1: its supervisor is starting (Q5, I7)"]
    },
    "Q7: an exit that is judged while the supervisor is being stopped": {
      items: [
        ...kinds({ ...significant }, { autoShutdown: "any-significant" }),
        a.left("shut-down", ExitReason.normal),
        b.left("restart")
      ],
      violations: ["app/b at 0 ms, ChildExited of incarnation 1: its supervisor is being stopped (Q7)"]
    },
    "R5: a restart without an exit": {
      items: [...kinds({}), b.stopped, b.restarting],
      violations: [
        "app/b at 0 ms, ChildRestarting of incarnation 1: there was no exit or failed start to restart it for (R5, F8)"
      ]
    },
    "R7: a restart of a child that runs": {
      items: [...kinds({}), b.restarting],
      violations: [
        "app/b at 0 ms, ChildRestarting of incarnation 1: it is running (R7)",
        "app/b at 0 ms, ChildRestarting of incarnation 1: there was no exit or failed start to restart it for (R5, F8)"
      ]
    },
    "C6: a restart after a failed start that a call had asked for": {
      items: [...kinds({}), b.stopped, b2.starting, b2.startFailed, b2.restarting],
      violations: [
        "app/b at 0 ms, ChildRestarting of incarnation 2: there was no exit or failed start to restart it for (R5, F8)"
      ]
    },
    "F8: a restart that a call has cancelled": {
      items: [
        ...kinds({ onExhausted: "escalate" }),
        b.left("restart"),
        b.backingOff(),
        note("Terminating", "app/b"),
        note("Terminated", "app/b"),
        at("app/b", 1, 100).restarting
      ],
      violations: [
        "app/b at 100 ms, ChildRestarting of incarnation 1: there was no exit or failed start to restart it for (R5, F8)"
      ]
    },
    "a wait of a child without a backoff": {
      items: [...kinds({}), b.left("restart"), b.backingOff()],
      violations: ["app/b at 0 ms, ChildBackingOff of incarnation 1: it has no backoff"]
    },
    "a wait of a group without a backoff": {
      items: [
        ...kinds({}, { strategy: "rest-for-one" }),
        b.left("restart"),
        c.stopped,
        b.backingOff()
      ],
      violations: ["app/b at 0 ms, ChildBackingOff of incarnation 1: it has no backoff"]
    },
    "a wait that is none": {
      items: [...kinds({ onExhausted: "escalate" }), b.left("restart"), b.backingOff(0)],
      violations: ["app/b at 0 ms, ChildBackingOff of incarnation 1: it does not wait"]
    },
    "a wait that has begun already": {
      items: [...kinds({ onExhausted: "escalate" }), b.left("restart"), b.backingOff(), b.backingOff()],
      violations: ["app/b at 0 ms, ChildBackingOff of incarnation 1: it waits already"]
    },
    "a child that is left down though it runs": {
      items: [...kinds({ onExhausted: "give-up" }), b.failed],
      violations: [
        "app/b at 0 ms, ChildFailed of incarnation 1: it is running",
        "app/b at 0 ms, ChildFailed of incarnation 1: it has neither left nor failed to start"
      ]
    },
    "a child that is left down twice": {
      items: [...kinds({ onExhausted: "give-up" }), b.left("fail"), b.failed, b.failed],
      violations: ["app/b at 0 ms, ChildFailed of incarnation 1: it has neither left nor failed to start"]
    },
    "a child that is left down though it has no backoff": {
      items: [...kinds({}), b.left("restart"), b.restarting, b2.starting, b2.startFailed, b2.failed],
      violations: ["app/b at 0 ms, ChildFailed of incarnation 2: it is not to be left down"]
    }
  })
})

describe("the restart limit", () => {
  const once: ReadonlyArray<Item> = [oneForOne, ...up, a.left("restart"), a.restarting, ...a2.starts]

  finds({
    "I1: a restart too many, at the end of the period": {
      items: [...once, at("app/b", 1, 1000).left("restart"), at("app/b", 1, 1000).restarting],
      violations: ["app/b at 1000 ms, ChildRestarting of incarnation 1: more than 1 restarts in 1000 ms (I1)"]
    },
    "I1: a try too many": {
      items: [...once.slice(0, -1), a2.startFailed, a2.restarting],
      violations: ["app/a at 0 ms, ChildRestarting of incarnation 2: more than 1 restarts in 1000 ms (I1)"]
    },
    "I3: a restart too many, of several at the edge of the period": {
      items: [
        learn(supervisor("app", three(), { intensity: 2 })),
        ...once.slice(1),
        at("app/b", 1, 1000).left("restart"),
        at("app/b", 1, 1000).restarting,
        ...at("app/b", 2, 1000).starts,
        at("app/b", 2, 1000).left("restart"),
        at("app/b", 2, 1000).restarting
      ],
      violations: ["app/b at 1000 ms, ChildRestarting of incarnation 2: more than 2 restarts in 1000 ms (I1)"]
    },
    "I5: a restart too many, counted from when the group had stopped": {
      items: [
        oneForAll,
        ...up,
        c.left("restart"),
        c.restarting,
        at("app/b", 1, 500).stopped,
        at("app/a", 1, 900).stopped,
        ...at("app/a", 2, 900).starts,
        ...at("app/b", 2, 900).starts,
        ...at("app/c", 2, 900).starts,
        at("app/c", 2, 1900).left("restart"),
        at("app/c", 2, 1900).restarting
      ],
      violations: ["app/c at 1900 ms, ChildRestarting of incarnation 2: more than 1 restarts in 1000 ms (I1)"]
    },
    "I1: a supervisor that gives up with restarts left": {
      items: [
        learn(supervisor("app", three(), { intensity: 2 })),
        ...up,
        a.left("restart"),
        a.restarting,
        ...a2.starts,
        a2.left("give-up"),
        app.gaveUp("a"),
        c.stopped,
        b.stopped,
        app.endedFor(gaveUp("app", "a"))
      ],
      violations: ["app at 0 ms, SupervisorStopped of incarnation 1: it had restarts left: 1 of 2 (I1)"]
    },
    "I3: a supervisor that gives up for a restart that is no longer in the period": {
      items: [
        ...once,
        at("app/a", 2, 1001).left("give-up"),
        at("app", 1, 1001).gaveUp("a"),
        at("app/c", 1, 1001).stopped,
        at("app/b", 1, 1001).stopped,
        at("app", 1, 1001).endedFor(gaveUp("app", "a"))
      ],
      violations: ["app at 1001 ms, SupervisorStopped of incarnation 1: it had restarts left: 0 of 1 (I1)"]
    },
    "R3: a supervisor that gives up on a child that was not to be restarted": {
      items: [
        learn(supervisor("app", three({ restart: "temporary" }), { intensity: 0 })),
        ...up,
        a.left("give-up"),
        app.gaveUp("a"),
        c.stopped,
        b.stopped,
        app.endedFor(gaveUp("app", "a"))
      ],
      violations: [
        "app at 0 ms, SupervisorStopped of incarnation 1: app/a was not to be restarted, and did not escalate (R2, R3)"
      ]
    },
    "a supervisor that gives up for a backoff that there is not": {
      items: [
        ...once.slice(0, 8),
        a.left("give-up"),
        app.gaveUp("a"),
        c.stopped,
        b.stopped,
        app.endedFor(gaveUp("app", "a", "exhausted"))
      ],
      violations: [
        "app at 0 ms, SupervisorStopped of incarnation 1: app/a has no backoff whose end makes its supervisor give up"
      ]
    },
    "I7: a supervisor that gives up though it is not up, on a child that it has not": {
      items: [oneForOne, ...a.starts, app.gaveUp("x")],
      violations: [
        "app at 0 ms, SupervisorGaveUp of incarnation 1: it was starting (I7)",
        "app at 0 ms, SupervisorGaveUp of incarnation 1: app/b was to be started before that (S1)",
        "app at 0 ms, SupervisorGaveUp of incarnation 1: it has no child \"x\" (I7)"
      ]
    },
    "I7: a start after giving up": {
      items: [...once, a2.left("give-up"), app.gaveUp("a"), at("app/a", 3).starting],
      violations: ["app/a at 0 ms, ChildStarting of incarnation 3: its supervisor is being stopped (Q7)"]
    },
    "I7: a supervisor that gave up and ends for another reason": {
      items: [...once, a2.left("give-up"), app.gaveUp("a"), c.stopped, b.stopped, app.ended],
      violations: ["app at 0 ms, SupervisorStopped of incarnation 1: its reason is another (I7)"]
    },
    "I7: a supervisor that did not give up and ends for that": {
      items: [...once, c.stopped, b.stopped, a2.stopped, app.endedFor(gaveUp("app", "a"))],
      violations: ["app at 0 ms, SupervisorStopped of incarnation 1: its reason is another (I7)"]
    },
    "I7: a supervisor that was to give up and does not": {
      items: [...once, a2.left("give-up"), c.stopped, b.stopped, app.ended],
      violations: ["app at 0 ms, SupervisorStopped of incarnation 1: it was to give up (I7)"]
    }
  })
})

describe("the end", () => {
  finds({
    "T1: of a supervisor before its children's": {
      items: [oneForOne, ...up, c.stopped, app.ended],
      violations: [
        "app at 0 ms, SupervisorStopped of incarnation 1: app/a still runs (T1)",
        "app at 0 ms, SupervisorStopped of incarnation 1: app/b still runs (T1)"
      ]
    },
    "of a supervisor that was never up": {
      items: [oneForOne, ...a.starts, a.stopped, app.ended],
      violations: ["app at 0 ms, SupervisorStopped of incarnation 1: it was starting"]
    },
    "T1: of a child before what lives in it": {
      items: [nested, ...nestedUp, closing, l.stopped, n.stopped],
      violations: [
        "app/l at 0 ms, ChildStopped of incarnation 1: app/l/in/z still runs (T1)",
        "app/l at 0 ms, ChildStopped of incarnation 1: app/l/in has not ended (T1)",
        "app/n at 0 ms, ChildStopped of incarnation 1: app/n/x still runs (T1)",
        "app/n at 0 ms, ChildStopped of incarnation 1: app/n/y still runs (T1)",
        "app/n at 0 ms, ChildStopped of incarnation 1: app/n has not ended (T1)"
      ]
    },
    "R7: of an incarnation after the next one began": {
      items: [nested, ...nestedUp, l.left("restart"), l.restarting],
      violations: [
        "app/l at 0 ms, ChildRestarting of incarnation 1: app/l/in/z still runs (T1)",
        "app/l at 0 ms, ChildRestarting of incarnation 1: app/l/in has not ended (T1)"
      ]
    },
    "T1: of a start that failed, before what lives in it": {
      items: [nested, n.starting, ...x.starts, ...y.starts, n.up, n.startFailed],
      violations: [
        "app/n at 0 ms, ChildStartFailed of incarnation 1: app/n/x still runs (T1)",
        "app/n at 0 ms, ChildStartFailed of incarnation 1: app/n/y still runs (T1)",
        "app/n at 0 ms, ChildStartFailed of incarnation 1: app/n has not ended (T1)"
      ]
    },
    "T1: of a transient child, before what lives in it, by the next start": {
      items: [
        learn(supervisor("app", [{ ...child("app/l", { restart: "transient" }) }])),
        l.starting,
        ...z.starts,
        within.up,
        l.started,
        app.up,
        l.left("keep", ExitReason.normal),
        at("app/l", 2).starting
      ],
      violations: [
        "app/l at 0 ms, ChildStarting of incarnation 2: app/l/in/z still runs (T1)",
        "app/l at 0 ms, ChildStarting of incarnation 2: app/l/in has not ended (T1)"
      ]
    },
    "T1: of a supervisor, with something after it": {
      items: [oneForOne, ...up, c.stopped, b.stopped, a.stopped, app.ended, at("app/a", 2).starting],
      violations: [
        "app/a at 0 ms, ChildStarting of incarnation 2: its supervisor has ended (T1)"
      ]
    },
    "of all, of which there is none": {
      items: [nested, ...nestedUp, end],
      violations: [
        "app at 0 ms, the end: app/n still runs (T1)",
        "app at 0 ms, the end: app/n/x still runs (T1)",
        "app at 0 ms, the end: app/n/y still runs (T1)",
        "app at 0 ms, the end: app/n has not ended (T1)",
        "app at 0 ms, the end: app/l still runs (T1)",
        "app at 0 ms, the end: app/l/in/z still runs (T1)",
        "app at 0 ms, the end: app/l/in has not ended (T1)",
        "app at 0 ms, the end: app has not ended (T1)"
      ]
    },
    "of all, of which that of a supervisor is missing": {
      items: [oneForOne, ...up, c.stopped, b.stopped, a.stopped, end],
      violations: ["app at 0 ms, the end: app has not ended (T1)"]
    }
  })
})

describe("a snapshot beside the events", () => {
  const shown = (children: ReadonlyArray<Node>, state: SupervisionTree.State = "running") =>
    compare({ ...supervisor("app", children), state })
  const running = (path: string, incarnation = 1) => child(path, { state: "running", incarnation })
  const all = [running("app/a"), running("app/b"), running("app/c")]

  finds({
    "that agrees": { items: [oneForOne, ...up, shown(all)], violations: [] },
    "that agrees while things are under way": {
      items: [
        oneForOne,
        ...up,
        b.left("restart"),
        shown([
          running("app/a"),
          child("app/b", { state: "restarting", incarnation: 1 }),
          child("app/c", { state: "stopping", incarnation: 1 })
        ]),
        b.restarting,
        b2.starting,
        shown([running("app/a"), child("app/b", { state: "starting", incarnation: 2 }), running("app/c")])
      ],
      violations: []
    },
    "that agrees in the middle of a group restart": {
      items: [
        oneForAll,
        ...up,
        b.left("restart"),
        b.restarting,
        c.stopped,
        shown([
          child("app/a", { state: "stopping", incarnation: 1 }),
          child("app/b", { incarnation: 1 }),
          child("app/c", { incarnation: 1 })
        ]),
        a.stopped,
        a2.starting,
        shown([
          child("app/a", { state: "starting", incarnation: 2 }),
          child("app/b", { incarnation: 1 }),
          child("app/c", { incarnation: 1 })
        ]),
        a2.started,
        shown([
          child("app/a", { state: "stopping", incarnation: 2 }),
          child("app/b", { incarnation: 1 }),
          child("app/c", { incarnation: 1 })
        ], "stopping")
      ],
      violations: []
    },
    "that agrees while a group is stopped, and one that left shows as stopped": {
      items: [
        oneForAll,
        ...up,
        b.left("restart"),
        shown([
          running("app/a"),
          child("app/b", { incarnation: 1 }),
          child("app/c", { state: "stopping", incarnation: 1 })
        ])
      ],
      violations: []
    },
    "that agrees where a start was called off, also in what may be dynamic": {
      items: [
        pool,
        at("pool").up,
        poolOf(dynamic("p"), dynamic("q")),
        p.starting,
        compare(supervisor("pool", [dynamic("p")], { dynamic: true })),
        ...q.starts,
        compare(supervisor("pool", [dynamic("p"), dynamic("q", { state: "running" })], { dynamic: true })),
        at("other/a").starting,
        compare(supervisor("other", [child("other/a", { incarnation: 1 })]))
      ],
      violations: []
    },
    "in which a start has ended of which no answer was told": {
      items: [
        oneForOne,
        a.starting,
        shown([child("app/a", { incarnation: 1 }), child("app/b"), child("app/c")], "starting")
      ],
      violations: ["app/a at 0 ms, the tree: by the events it is starting, and it is stopped"]
    },
    "in which a restart has ended of which no answer was told": {
      items: [
        oneForOne,
        ...up,
        b.left("restart"),
        b.restarting,
        b2.starting,
        shown([running("app/a"), child("app/b", { incarnation: 2 }), running("app/c")])
      ],
      violations: ["app/b at 0 ms, the tree: by the events it is starting, and it is stopped"]
    },
    "in which a temporary child is listed that has ended": {
      items: [
        learn(supervisor("app", three({ restart: "temporary" }))),
        ...up,
        b.left("remove"),
        ...at("app/d").starts,
        shown([running("app/a"), child("app/b", { incarnation: 1 }), running("app/c"), running("app/d")])
      ],
      violations: ["app/b at 0 ms, the tree: by the events there is no such child, which is stopped"]
    },
    "that agrees before anything has started": {
      items: [shown([child("app/a"), child("app/b")], "starting")],
      violations: []
    },
    "that agrees after a start was aborted": {
      items: [
        oneForOne,
        ...a.starts,
        ...b.starts,
        c.starting,
        b.stopped,
        shown([
          child("app/a", { state: "stopping", incarnation: 1 }),
          child("app/b", { incarnation: 1 }),
          child("app/c", { incarnation: 1 })
        ], "stopping")
      ],
      violations: []
    },
    "of another tree": {
      items: [oneForOne, ...up, compare({ ...supervisor("application", []), state: "starting" })],
      violations: []
    },
    "in which a child runs that does not": {
      items: [oneForOne, ...up, b.stopped, shown(all)],
      violations: ["app/b at 0 ms, the tree: by the events it is down, and it is running"]
    },
    "in which a child does not run that does": {
      items: [oneForOne, ...up, shown([running("app/a"), child("app/b", { incarnation: 1 }), running("app/c")])],
      violations: ["app/b at 0 ms, the tree: by the events it is running, and it is stopped"]
    },
    "in which a child is not that runs": {
      items: [oneForOne, ...up, shown([running("app/a"), running("app/c")])],
      violations: ["app/b at 0 ms, the tree: by the events it is running, and the tree does not have it"]
    },
    "in which a child runs that has not been started": {
      items: [oneForOne, ...up, shown([...all, running("app/d")])],
      violations: ["app/d at 0 ms, the tree: by the events there is no such child, which is running"]
    },
    "in which a child is another incarnation": {
      items: [oneForOne, ...up, shown([running("app/a"), running("app/b", 2), running("app/c")])],
      violations: ["app/b at 0 ms, the tree: by the events it is incarnation 1, and it is 2"]
    },
    "in which a child that left and is to be restarted just stays down": {
      items: [
        oneForOne,
        ...up,
        b.left("restart"),
        b.restarting,
        b2.starting,
        b2.startFailed,
        shown([
          running("app/a"),
          child("app/b", { state: "starting", incarnation: 2 }),
          running("app/c")
        ])
      ],
      violations: ["app/b at 0 ms, the tree: by the events it is down, and it is starting"]
    },
    "in which a supervisor has ended that has not": {
      items: [learn(supervisor("app", [])), app.up, shown([], "stopped")],
      violations: ["app at 0 ms, the tree: by the events it is up, and it has ended"]
    },
    "in which a supervisor lives that has ended": {
      items: [learn(supervisor("app", [])), app.up, app.ended, shown([])],
      violations: ["app at 0 ms, the tree: by the events it has ended, and it lives"]
    },
    "in which a supervisor is up that is starting": {
      items: [oneForOne, ...a.starts, shown([running("app/a"), child("app/b"), child("app/c")])],
      violations: [
        "app at 0 ms, the tree: by the events it is starting, and it is running",
        "app at 0 ms, the tree: app/b was to be started before that (S1)"
      ]
    },
    "in which a supervisor is up of which no event has told": {
      items: [shown([])],
      violations: ["app at 0 ms, the tree: no event has told of this supervisor, which is running"]
    },
    "in which a nested supervisor is not that lives": {
      items: [nested, ...nestedUp, shown([running("app/n"), running("app/l")])],
      violations: [
        "app/n at 0 ms, the tree: by the events it is up, and it has ended",
        "app/n/x at 0 ms, the tree: by the events it is running, and the tree does not have it",
        "app/n/y at 0 ms, the tree: by the events it is running, and the tree does not have it",
        "app/l/in at 0 ms, the tree: by the events it is up, and it has ended",
        "app/l/in/z at 0 ms, the tree: by the events it is running, and the tree does not have it"
      ]
    }
  })
})
