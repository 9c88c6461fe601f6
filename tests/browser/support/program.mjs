// The program under test: the real one, started and stopped as people do.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where the program is: TAPLINE_BIN, as `cargo xtask test` sets it. */
export function program() {
  const path = process.env.TAPLINE_BIN;
  if (!path) {
    throw new Error("TAPLINE_BIN must name the program: `cargo xtask test` sets it");
  }
  return path;
}

/** A folder that is deleted at the end of a test. */
export function folder(context) {
  const path = mkdtempSync(join(tmpdir(), "tapline-browser-"));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A port of this host that nobody listens on. */
export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Starts a program and waits until it says something (empty: it is not waited for); it ends with the test. */
export async function start(context, command, args, says, options = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let said = "";
  const ended = new Promise((done) => child.once("exit", (code) => done(code)));
  const spoke = new Promise((done) => {
    if (says === "") {
      done();
    }
    const listen = (chunk) => {
      said += chunk;
      if (said.includes(says)) {
        done();
      }
    };
    child.stderr.on("data", listen);
    child.stdout.on("data", listen);
  });
  const running = {
    child,
    said: () => said,
    ended,
    /** Ends it, and waits for that. */
    stop: async (signal = "SIGTERM") => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
      }
      return ended;
    },
  };
  context.after(() => running.stop("SIGKILL"));
  const late = new Promise((_, fail) => {
    const timer = setTimeout(() => fail(new Error(`${command} ${args.join(" ")} says only: ${said}`)), 20_000);
    timer.unref();
  });
  const early = ended.then((code) => {
    throw new Error(`${command} ${args.join(" ")} ended with ${code}: ${said}`);
  });
  await Promise.race([spoke, late, early]);
  early.catch(() => {});
  return running;
}

/** `tapline serve` with a store of its own. */
export async function serve(context, { port, data, args = [] } = {}) {
  const at = port ?? (await freePort());
  const directory = data ?? folder(context);
  const listen = `127.0.0.1:${at}`;
  const running = await start(
    context,
    program(),
    ["serve", "--listen", listen, "--data-dir", directory, ...args],
    "stop with Ctrl-C",
    { env: {}, cwd: directory },
  );
  return { ...running, port: at, data: directory, url: `http://${listen}` };
}

/** Sends records, in arrays of at most 1,000. */
export async function post(url, path, records, headers = {}) {
  for (let at = 0; at < records.length; at += 1000) {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(records.slice(at, at + 1000)),
    });
    if (response.status !== 201) {
      throw new Error(`${path}: ${response.status} ${await response.text()}`);
    }
  }
}

/** Asks for JSON. */
export async function get(url, path) {
  const response = await fetch(`${url}${path}`);
  if (!response.ok) {
    throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }
  return response.json();
}
