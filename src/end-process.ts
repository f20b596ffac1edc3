/**
 * Ends the process with this code, whatever it still waits for.
 *
 * `process.exit` first waits for the threads that read files and look up names. One that hangs in the kernel (a mount whose server is
 * gone) or in a resolver never comes back, and in a container no signal that the process sends to itself ends it. Becoming
 * another program does: the kernel ends all other threads, and that program is nothing but an exit with this code.
 */
export function endProcess(code: number): void {
  try {
    process.execve?.(process.execPath, [process.execPath, "-e", `process.exit(${code})`], {
      ...process.env,
      NODE_OPTIONS: "",
    });
  } finally {
    // Not on Windows, and not where the program cannot be started.
    process.exit(code);
  }
}
