import { CommanderError } from 'commander'
import { CombinedError, TwinlaneError } from '../base/errors.ts'
import { describeFailure } from './describe-failure.ts'
import { type CliIo, note, UsageError } from './io.ts'
import { buildProgram, commandLine } from './program.ts'

export interface CliInput {
  /** Without node and the script. */
  argv: readonly string[]
  env: Readonly<Record<string, string | undefined>>
  /** @default process.cwd() of the caller */
  cwd: string
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
  interruption?(): AbortSignal
}

/** Runs one command line. Resolves with the exit code: 0, 1 for a failure, 2 for a wrong command line. Never rejects. */
export async function runCli(input: CliInput): Promise<number> {
  let exitCode = 0
  const io: CliIo = {
    ...input,
    setExitCode: (code) => {
      exitCode = code
    },
  }
  try {
    const argv = commandLine(input.argv)
    const program = await buildProgram(io, argv)
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    return reportError(io, error)
  }
}

function reportError(io: CliIo, error: unknown): number {
  // Commander has already said what is wrong; for --help and --version its exit code is 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const errors = error instanceof CombinedError ? error.errors : [error]
  for (const each of errors) {
    note(io, `error: ${describeFailure(each)}`)
    const fix = findFix(each)
    if (fix !== undefined) note(io, `fix: ${fix}`)
    // An error that nobody foresaw is a bug: whoever reports it needs the stack.
    if (!isForeseen(each)) note(io, String((each as Error).stack))
  }
  return error instanceof UsageError ? 2 : 1
}

function findFix(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof TwinlaneError && at.fix !== undefined) return at.fix
  }
  return undefined
}

function isForeseen(error: unknown): boolean {
  return error instanceof TwinlaneError || typeof (error as { code?: unknown } | null)?.code === 'string'
}
