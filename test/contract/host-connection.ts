import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { sh } from "../../providers/hosts/command.ts";
import type { HostConnection } from "../../providers/hosts/connection.ts";
import { cleanJob, startJob, waitForJob } from "../../providers/hosts/job.ts";

/** A host to try a transport on. */
export interface ContractHost {
  connect(): Promise<HostConnection>;
  /** Folder on the host that is there and empty. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** A host whose link can be cut from outside. */
export interface FragileHost extends ContractHost {
  /** Runs `command`, and cuts the link once the file `marker` is there, before the answer is heard. */
  cutDuring(command: () => Promise<unknown>, marker: string): Promise<unknown>;
}

const hostileValues = [
  "",
  " ",
  "$(reboot)",
  "`reboot`",
  "'; rm -rf / #",
  '"; rm -rf / #',
  "two\nlines\n",
  "tab\tand\rreturn",
  "back\\slash\\n",
  "*?[a-z]~{a,b}",
  "$HOME ${HOME} !! && || | > < &",
  "größe 名前 🙂",
  "-n",
  "x".repeat(10_000),
];

/** What every transport must do. */
export function describeHostConnection(name: string, start: () => Promise<ContractHost>): void {
  describe(`host connection: ${name}`, () => {
    let host: ContractHost;
    let connection: HostConnection;
    const at = (file: string): string => `${host.folder}/${file}`;
    const read = async (path: string): Promise<string> => (await connection.run(sh`cat -- ${path}`)).stdout;
    /** Command line of the process that wrote its id into a file; empty once it has ended. */
    const commandOf = async (file: string): Promise<string> =>
      (await connection.run(sh`cat "/proc/$(cat ${at(file)})/cmdline" 2> /dev/null || :`)).stdout;
    beforeAll(async () => {
      host = await start();
      connection = await host.connect();
    });
    afterAll(async () => {
      await connection.close();
      await host.stop();
    });

    it("hands nothing of this process's environment on", async () => {
      vi.stubEnv("STACKYARD_PASSWORD", "open sesame");
      const { stdout } = await connection.run(sh`env`);
      vi.unstubAllEnvs();
      expect(stdout).toContain("PATH=");
      expect(stdout).not.toContain("sesame");
    });

    it("gives exit code, standard output and standard error", async () => {
      const result = await connection.run(sh`echo out; echo err >&2; exit 3`, { allowFailure: true });
      expect(result).toMatchObject({ exitCode: 3, stdout: "out\n", stderr: "err\n" });
    });

    it.each(hostileValues)("hands on the value %j as one word", async (value) => {
      const result = await connection.run(sh`printf '%s|' ${value} ${["end"]}`);
      expect(result.stdout).toBe(`${value}|end|`);
    });

    it("runs commands in the C locale", async () => {
      expect((await connection.run(sh`printf %s "$LC_ALL"`)).stdout).toBe("C");
    });

    it("gives the command text by standard input", async () => {
      expect((await connection.run(sh`cat`, { stdin: "über\nall" })).stdout).toBe("über\nall");
    });

    it("gives the command bytes and streams by standard input", async () => {
      const stdin = Readable.from([Buffer.from("one "), Buffer.from("two")]);
      expect((await connection.run(sh`cat`, { stdin })).stdout).toBe("one two");
    });

    it("gives an empty standard input to a command that is given none", async () => {
      expect((await connection.run(sh`wc -c`)).stdout.trim()).toBe("0");
    });

    it("does not mind a command that leaves its input unread", async () => {
      const result = await connection.run(sh`echo done`, { stdin: Buffer.alloc(1_000_000) });
      expect(result.stdout).toBe("done\n");
    });

    it("keeps characters whole that arrive in two pieces", async () => {
      const text = "€".repeat(200_000);
      expect((await connection.run(sh`cat`, { stdin: text })).stdout).toBe(text);
    });

    it("raises command-failed with the purpose, the exit code and the tail of standard error", async () => {
      const failing = connection.run(sh`echo why >&2; exit 9`, {
        attempting: "open the box",
        stdin: "s3cret",
      });
      await expect(failing).rejects.toMatchObject({
        code: "command-failed",
        message: `Could not open the box on host ${connection.host.name}: exit code 9`,
        notes: [expect.stringContaining("exit 9"), "why"],
      });
    });

    it("never shows standard input in an error", async () => {
      const error: unknown = await connection
        .run(sh`cat > /dev/null; exit 1`, { stdin: "s3cret" })
        .catch((e: unknown) => e);
      expect(JSON.stringify(error)).not.toContain("s3cret");
    });

    it("raises host-disk-full when the host has no space left", async () => {
      const failing = connection.run(sh`echo 'write error: No space left on device' >&2; exit 1`);
      await expect(failing).rejects.toMatchObject({ code: "host-disk-full" });
    });

    it("raises command-timeout, and ends the command and its children on the host", async () => {
      const forever = sh`echo $$ > ${at("slow")}; sleep 600 & wait`;
      await expect(connection.run(forever, { timeoutMs: 700 })).rejects.toMatchObject({
        code: "command-timeout",
      });
      expect(await commandOf("slow")).toBe("");
    });

    it("raises interrupted on a signal, once the command has ended on the host", async () => {
      const controller = new AbortController();
      const running = connection.run(sh`echo $$ > ${at("stopped")}; cat > /dev/null; sleep 600`, {
        stdin: "all of it",
        signal: controller.signal,
      });
      setTimeout(() => controller.abort(), 700);
      await expect(running).rejects.toMatchObject({ code: "interrupted" });
      expect(await commandOf("stopped")).toBe("");
    });

    it("runs nothing for a signal that came before", async () => {
      const running = connection.run(sh`touch ${at("never")}`, { signal: AbortSignal.abort() });
      await expect(running).rejects.toMatchObject({ code: "interrupted" });
      expect((await connection.run(sh`[ -e ${at("never")} ]`, { allowFailure: true })).exitCode).toBe(1);
    });

    it("ends a command that prints more than it may", async () => {
      const endless = connection.run(sh`while :; do echo more; done`, { maxOutputBytes: 10_000 });
      await expect(endless).rejects.toMatchObject({
        code: "command-failed",
        message: expect.stringContaining("more than 10000 bytes") as string,
      });
    });

    it("refuses a command that no host can take", async () => {
      const long = connection.run(sh`true ${"x".repeat(200_000)}`);
      await expect(long).rejects.toMatchObject({ code: "invalid-input" });
    });

    it("runs more commands at once than a host has sessions", async () => {
      const results = await Promise.all([...Array(25).keys()].map((n) => connection.run(sh`echo ${n}`)));
      expect(results.map(({ stdout }) => Number(stdout))).toEqual([...Array(25).keys()]);
    });

    it("listens at a socket of the host and connects to it, for all who come and both ways", async () => {
      const path = at("socket");
      const listening = await connection.listenAt(path, (socket) => {
        void text(socket).then((said) => socket.end(`heard ${String(said.length)}`));
      });
      const sizes = [1, 3_000_000];
      const answers = sizes.map(async (size) => {
        const socket = await connection.openSocket(path);
        socket.end("x".repeat(size));
        return text(socket);
      });
      expect(await Promise.all(answers)).toEqual(sizes.map((size) => `heard ${String(size)}`));
      await listening.close();
      await connection.run(sh`rm -f -- ${path}`);
      await expect(connection.openSocket(path)).rejects.toMatchObject({ code: "host-unreachable" });
    });

    it("does not listen where something is", async () => {
      await connection.run(sh`mkdir ${at("taken")}`);
      await expect(connection.listenAt(at("taken"), () => undefined)).rejects.toMatchObject({
        code: "host-unreachable",
      });
    });

    it("ends what runs when it is closed, and takes no more", async () => {
      const other = await host.connect();
      const running = other.run(sh`sleep 600`).catch((error: unknown) => error);
      await other.run(sh`true`);
      await other.close();
      expect(await running).toMatchObject({ code: "interrupted" });
      expect(other.isOpen()).toBe(false);
      await expect(other.run(sh`true`)).rejects.toMatchObject({ code: "host-unreachable" });
    });

    describe("job", () => {
      const job = (name: string): { name: string; folder: string } => ({ name, folder: at("jobs") });

      it("runs on beside us, and is waited for", async () => {
        const started = await startJob(connection, {
          ...job("a"),
          command: sh`echo begin; sleep 0.3; echo end`,
        });
        expect(started.state).toBe("running");
        expect(await waitForJob(connection, job("a"))).toBe("begin\nend\n");
      });

      it("does not run twice at once, whoever asks", async () => {
        const command = sh`echo run >> ${at("runs")}; sleep 0.5`;
        await Promise.all([1, 2, 3].map(() => startJob(connection, { ...job("once"), command })));
        await waitForJob(connection, job("once"));
        expect(await read(at("runs"))).toBe("run\n");
      });

      it("keeps its result until it is cleaned", async () => {
        await startJob(connection, { ...job("kept"), command: sh`echo first` });
        await waitForJob(connection, job("kept"));
        const again = await startJob(connection, { ...job("kept"), command: sh`echo second` });
        expect(again).toEqual({ state: "succeeded", log: "first\n" });
        await cleanJob(connection, job("kept"));
        await expect(waitForJob(connection, job("kept"))).rejects.toMatchObject({ code: "not-found" });
      });

      it("reads a line that is in no argument and no file of it", async () => {
        const command = sh`read -r line; grep -acF "$line" /proc/$$/cmdline ${at("jobs/reads")}/* || true; echo "$line"`;
        await startJob(connection, { ...job("reads"), command, stdin: "it's a\\secret $x\n" });
        const log = await waitForJob(connection, job("reads"));
        expect(log).toMatch(/:0\n/);
        expect(log).not.toMatch(/:[1-9]/);
        expect(log.split("\n").at(-2)).toBe("it's a\\secret $x");
      });

      it("raises command-failed with the end of its log", async () => {
        await startJob(connection, { ...job("fails"), command: sh`echo trouble >&2; exit 4` });
        await expect(waitForJob(connection, job("fails"))).rejects.toMatchObject({
          code: "command-failed",
          message: `Job fails failed on host ${connection.host.name}: exit code 4`,
          notes: ["trouble"],
        });
      });

      it("raises host-disk-full when its log says so", async () => {
        const command = sh`echo 'cp: No space left on device'; exit 1`;
        await startJob(connection, { ...job("full"), command });
        await expect(waitForJob(connection, job("full"))).rejects.toMatchObject({ code: "host-disk-full" });
      });

      it("has failed when it was killed, and can be started again", async () => {
        const command = sh`[ ! -e ${at("second")} ] || exit 0; touch ${at("second")}; kill -KILL 0`;
        await startJob(connection, { ...job("killed"), command });
        await expect(waitForJob(connection, job("killed"))).rejects.toMatchObject({
          message: expect.stringContaining("it was killed") as string,
        });
        await startJob(connection, { ...job("killed"), command });
        expect(await waitForJob(connection, job("killed"))).toBe("");
      });

      it("is ended by its cleaning, with all that it started", async () => {
        const command = sh`echo $$ > ${at("long")}; sleep 600 & sleep 600`;
        await startJob(connection, { ...job("long"), command });
        await connection.run(sh`while [ ! -s ${at("long")} ]; do sleep 0.02; done`);
        await cleanJob(connection, job("long"));
        expect(await commandOf("long")).toBe("");
      });

      it("is left alone by a cleaning that finds another process under its id", async () => {
        await startJob(connection, { ...job("mine"), command: sh`sleep 600` });
        await connection.run(
          sh`cd ${at("jobs/mine")}; while [ ! -s process ]; do sleep 0.02; done; cp process real; echo "$(cut -d ' ' -f 1 real) 1" > process`,
        );
        await expect(cleanJob(connection, job("mine"))).rejects.toMatchObject({ code: "command-failed" });
        const state = await startJob(connection, { ...job("mine"), command: sh`:` });
        expect(state.state).toBe("running");
        await connection.run(sh`mv ${at("jobs/mine/real")} ${at("jobs/mine/process")}`);
        await cleanJob(connection, job("mine"));
      });

      it("is waited for no longer than asked", async () => {
        await startJob(connection, { ...job("slow"), command: sh`sleep 600` });
        await expect(waitForJob(connection, job("slow"), { timeoutMs: 200 })).rejects.toMatchObject({
          code: "command-timeout",
        });
        await cleanJob(connection, job("slow"));
      });
    });
  });
}

/** What a transport must do when its link breaks. */
export function describeLostLink(name: string, start: () => Promise<FragileHost>): void {
  describe(`lost link: ${name}`, () => {
    let host: FragileHost;
    let connection: HostConnection;
    const at = (file: string): string => `${host.folder}/${file}`;
    beforeAll(async () => {
      host = await start();
      connection = await host.connect();
    });
    afterAll(async () => {
      await connection.close();
      await host.stop();
    });

    it("raises host-unreachable, and says that the command may have run", async () => {
      const cut = host.cutDuring(() => connection.run(sh`touch ${at("ran")}; sleep 1`), at("ran"));
      await expect(cut).rejects.toMatchObject({
        code: "host-unreachable",
        retryable: true,
        remedy: expect.stringContaining("may or may not have run") as string,
      });
    });

    it("is open again for the next command", async () => {
      const cut = host.cutDuring(() => connection.run(sh`touch ${at("cut")}; sleep 1`), at("cut"));
      await expect(cut).rejects.toMatchObject({ code: "host-unreachable" });
      expect((await connection.run(sh`echo again`)).stdout).toBe("again\n");
      expect(connection.isOpen()).toBe(true);
    });

    it("waits on for a job that goes on", async () => {
      const job = { name: "survivor", folder: at("jobs") };
      await startJob(connection, { ...job, command: sh`touch ${at("begun")}; sleep 1; echo done` });
      expect(await host.cutDuring(() => waitForJob(connection, job), at("begun"))).toBe("done\n");
    });
  });
}
