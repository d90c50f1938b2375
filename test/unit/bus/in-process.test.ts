import { describe, expect, test } from "vitest";
import { openInProcessBus } from "../../../providers/bus/in-process.ts";
import { newId } from "../../../providers/core/ids.ts";
import { StackyardError } from "../../../providers/core/errors.ts";

const task = { taskId: newId(), token: undefined };
const journal = { ...task, step: "spawn", phase: "result" as const };

describe("a call", () => {
  test("is answered by whoever serves the topic", async () => {
    const bus = openInProcessBus();
    const seen: string[] = [];
    bus.serve("conductor", {
      run_task: ({ taskId }) => {
        seen.push(taskId);
        return Promise.resolve(undefined);
      },
    });

    await bus.call("conductor", "run_task", task);

    expect(seen).toEqual([task.taskId]);
  });

  test("to a sub-topic is answered by whoever serves the topic", async () => {
    const bus = openInProcessBus();
    bus.serve("compute", { run_steps: () => Promise.resolve(undefined) });

    await expect(
      bus.call("compute.h1", "run_steps", { ...task, steps: [], castAtMs: 0 }),
    ).resolves.toBeUndefined();
  });

  test("raises what the handler raised", async () => {
    const bus = openInProcessBus();
    bus.serve("conductor", {
      run_task: () => Promise.reject(new StackyardError("conflict", { message: "taken" })),
    });

    await expect(bus.call("conductor", "run_task", task)).rejects.toMatchObject({ code: "conflict" });
  });

  test("that nobody answers fails at once, and says what was asked of whom", async () => {
    const bus = openInProcessBus();
    bus.serve("conductor", {});

    await expect(bus.call("conductor", "run_task", task)).rejects.toMatchObject({
      code: "internal",
      message: "no service answers run_task on topic conductor",
    });
  });

  test("that is not answered in time raises command-timeout", async () => {
    const bus = openInProcessBus();
    bus.serve("conductor", { run_task: () => Promise.withResolvers<undefined>().promise });

    await expect(bus.call("conductor", "run_task", task, 1)).rejects.toMatchObject({
      code: "command-timeout",
      message: "conductor did not answer run_task within 1 ms",
    });
  });

  test("shares no object with the handler", async () => {
    const bus = openInProcessBus();
    const outputs = { list: ["as sent"] };
    bus.serve("conductor", {
      journal: (args) => {
        Object.assign(args.outputs ?? {}, { list: [] });
        return Promise.resolve(undefined);
      },
    });

    await bus.call("conductor", "journal", { ...journal, outputs });

    expect(outputs).toEqual({ list: ["as sent"] });
  });
});

describe("a cast", () => {
  test("returns before it is handled; drain waits for it", async () => {
    const bus = openInProcessBus();
    const work = Promise.withResolvers<undefined>();
    const handled: string[] = [];
    bus.serve("conductor", {
      run_task: async ({ taskId }) => {
        await work.promise;
        handled.push(taskId);
        return undefined;
      },
    });

    bus.cast("conductor", "run_task", task);
    expect(handled).toEqual([]);
    work.resolve(undefined);
    await bus.drain();

    expect(handled).toEqual([task.taskId]);
  });

  test("tells nobody of a failure, and lets others go on", async () => {
    const bus = openInProcessBus();
    bus.serve("conductor", { run_task: () => Promise.reject(new Error("broken")) });

    bus.cast("conductor", "run_task", task);

    await expect(bus.drain()).resolves.toBeUndefined();
  });

  test("that is cast while another is handled is waited for too", async () => {
    const bus = openInProcessBus();
    const handled: string[] = [];
    bus.serve("conductor", {
      run_task: ({ taskId }) => {
        handled.push("run_task");
        bus.cast("conductor", "get_instance", { taskId });
        return Promise.resolve(undefined);
      },
      get_instance: async () => {
        await Promise.resolve();
        handled.push("get_instance");
        throw new Error("nobody listens");
      },
    });

    bus.cast("conductor", "run_task", task);
    await bus.drain();

    expect(handled).toEqual(["run_task", "get_instance"]);
  });
});
