import { chmod, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { errorCode } from './errors.ts'
import { ExecError } from './exec.ts'
import { type ExecGroupOptions, execGroup } from './exec-group.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exec-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** Runs a shell script that holds these lines. */
async function run(script: string, options: Partial<ExecGroupOptions> = {}) {
  const path = join(folder, 'script')
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
  return await execGroup(path, { env: { PATH: '/usr/bin:/bin' }, input: '', ...options })
}

async function failureOf(task: Promise<unknown>): Promise<ExecError> {
  const error = await task.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ExecError)
  return error as ExecError
}

test('a command gets its input and environment; both its outputs come back', async () => {
  const ended = await run('cat; printf %s "$WHO" >&2', {
    input: 'in',
    env: { WHO: 'me', PATH: '/bin', NOT: undefined },
  })
  expect(ended).toEqual({ stdout: 'in', stderr: 'me', code: 0 })
})

test('its standard input can be opened again by name, and its environment is only what it is given', async () => {
  expect((await run('cat /dev/stdin; echo "$HOME"', { input: 'again' })).stdout).toBe('again\n')
})

test('more than a pipe holds goes through both ways', async () => {
  const input = 'x'.repeat(1_000_000)
  expect((await run('cat', { input })).stdout).toBe(input)
})

test('a command that reads nothing is no failure', async () => {
  expect((await run('exec echo done', { input: 'x'.repeat(1_000_000) })).stdout).toBe('done\n')
})

test('a bad exit is an error with code and outputs', async () => {
  expect(await failureOf(run('echo out; echo err >&2; exit 3'))).toMatchObject({
    code: 3,
    stdout: 'out\n',
    stderr: 'err\n',
    message: expect.stringContaining('script: exit code 3: err'),
  })
})

test('the end by a signal is named', async () => {
  const error = await failureOf(run('kill -TERM $$'))
  expect(error.message).toContain('ended by SIGTERM')
  expect(error.code).toBeUndefined()
})

test('SIGPIPE, which Node.js ignores, is not ignored by the command', async () => {
  expect((await failureOf(run('kill -PIPE $$; echo lives'))).message).toContain('ended by SIGPIPE')
})

test.each([
  ['is missing', 'ENOENT', async () => {}],
  ['must not be executed', 'EACCES', (path: string) => writeFile(path, '#!/bin/sh\n')],
])('a file that %s is an error with the code %s', async (_, code, make) => {
  const path = join(folder, 'other')
  await make(path)
  const error = await failureOf(execGroup(path, { env: {}, input: '' }))
  expect(errorCode(error.cause)).toBe(code)
})

test('a file that is being written is an error with the code ETXTBSY', async () => {
  const path = join(folder, 'busy')
  const file = await open(path, 'w', 0o755)
  await file.write('#!/bin/sh\n')
  const error = await failureOf(execGroup(path, { env: {}, input: '' }))
  await file.close()
  expect(errorCode(error.cause)).toBe('ETXTBSY')
})

test('too much output ends the command', async () => {
  const error = await failureOf(run('exec cat /dev/zero', { maxOutputBytes: 100_000 }))
  expect(error.message).toContain('ended by SIGKILL')
})

test('nothing is left open, and no process is left to be waited for, however it ends', async () => {
  const before = (await readdir('/proc/self/fd')).length
  for (let round = 0; round < 10; round++) {
    for (const script of ['echo', 'exit 1', 'kill -9 $$', 'exec cat /dev/zero']) {
      await run(script, { maxOutputBytes: 1000 }).catch(() => {})
    }
    await execGroup(join(folder, 'none'), { env: {}, input: '' }).catch(() => {})
  }
  // Other test files run in this process too; what 50 commands would leave is more than they open.
  await expect.poll(async () => (await readdir('/proc/self/fd')).length).toBeLessThan(before + 40)
  await expect.poll(zombies).toEqual([])
})

async function zombies(): Promise<string[]> {
  const { stdout } = await run(`ps -o stat= --ppid ${process.pid}`)
  return stdout.split('\n').filter((line) => line.startsWith('Z'))
}
