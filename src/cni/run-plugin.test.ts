import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Log, silentLog } from '../base/log.ts'
import { readConfigList } from './config.ts'
import { CniError } from './errors.ts'
import { addChain, type ChainRequest, checkChain, deleteChain } from './exec.ts'
import { codeOf } from './format-error.ts'

let folder: string
let logged: [object, string][]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plugins-'))
  logged = []
})
afterEach(() => rm(folder, { recursive: true }))

/** A plugin that reads its configuration and then does this. */
async function writePlugin(type: string, ...lines: string[]): Promise<void> {
  const path = join(folder, type)
  await writeFile(path, ['#!/bin/sh', 'cat > "$0.input"', ...lines, ''].join('\n'))
  await chmod(path, 0o755)
}

function requestOf(plugins: readonly object[], more: Partial<ChainRequest> & { version?: string } = {}): ChainRequest {
  const { version = '1.0.0', ...rest } = more
  const log: Log = { ...silentLog, info: (facts, message) => void logged.push([facts, message]) }
  const list = readConfigList({ cniVersion: version, name: 'net', plugins })
  return { list, folders: [folder], containerId: 'c1', netns: '/n', ifName: 'eth0', args: {}, log, ...rest }
}

async function refusalOf(task: Promise<unknown>): Promise<CniError> {
  const error = await task.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(CniError)
  return error as CniError
}

async function inputOf(type: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(folder, `${type}.input`), 'utf8'))
}

/** A zombie that nobody has reaped is dead. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  return !stat.includes(') Z')
}

describe('an answer', () => {
  test('that is no result names the plugin and the field, with code 6', async () => {
    await writePlugin('one', `echo '{"ips":[{"address":"10.0.0.2"}]}'`)
    const error = await refusalOf(addChain(requestOf([{ type: 'one' }])))
    expect(error.message).toContain('plugin "one" failed ADD: not a CNI result: ips[0].address is "10.0.0.2", not an')
    expect(error.code).toBe(6)
  })

  test.each([
    ['nothing', '', 'it printed nothing'],
    ['a sentence', 'done', 'it printed no JSON: done'],
    ['null', 'null', 'it is null, not an object'],
  ])('of %s is a failure of ADD', async (_, output, message) => {
    await writePlugin('one', `printf %s '${output}'`)
    const error = await refusalOf(addChain(requestOf([{ type: 'one' }])))
    expect(error).toMatchObject({ code: 6 })
    expect(error.message).toContain(`plugin "one" failed ADD: `)
    expect(error.message).toContain(message)
  })

  test('that is an error object is a failure, whatever the exit code, with the details', async () => {
    await writePlugin('one', `echo '{"cniVersion":"1.0.0","code":11,"msg":"busy","details":"a lot"}'`)
    expect(await refusalOf(addChain(requestOf([{ type: 'one' }])))).toMatchObject({
      code: 11,
      message: 'plugin "one" failed ADD: busy',
      details: 'a lot',
    })
  })

  test.each(['0', '1.5', '-3', '1e99'])('with the error code %s has code 999', async (code) => {
    await writePlugin('one', `echo '{"code":${code},"msg":"odd"}'; exit 1`)
    expect(await refusalOf(addChain(requestOf([{ type: 'one' }])))).toMatchObject({ code: 999 })
  })

  test('to DEL is not read: the exit code says it all', async () => {
    await writePlugin('one', 'echo deleted')
    await deleteChain(requestOf([{ type: 'one' }]))
  })

  test('is any JSON: then ADD has a true result or a CNI error, and never half of it', async () => {
    await writePlugin('one', 'cat "$0.output"', 'exit $(cat "$0.exit")')
    const field = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant([{ address: '10.0.0.2/24', name: 'eth0' }]))
    const output = fc.oneof(
      fc.dictionary(fc.constantFrom('cniVersion', 'interfaces', 'ips', 'routes', 'dns', 'code', 'msg'), field),
      fc.jsonValue(),
    )
    await fc.assert(
      fc.asyncProperty(output, fc.constantFrom(0, 0, 0, 1), async (value, exitCode) => {
        await writeFile(join(folder, 'one.output'), JSON.stringify(value))
        await writeFile(join(folder, 'one.exit'), String(exitCode))
        const answer = await addChain(requestOf([{ type: 'one' }])).catch((error: unknown) => error)
        if (answer instanceof CniError) expect(codeOf(answer)).toBeGreaterThan(0)
        else {
          expect(exitCode).toBe(0)
          const { ips = [], interfaces = [] } = value as { ips?: unknown[]; interfaces?: unknown[] }
          expect(answer).toMatchObject({
            ips: (ips ?? []).map(() => ({ address: '10.0.0.2/24' })),
            interfaces: (interfaces ?? []).map(() => ({ name: 'eth0' })),
          })
        }
      }),
      { numRuns: 40 },
    )
  }, 60_000)
})

test('what 1.1.0 brought comes through a chain whose configuration is older', async () => {
  const made = { interfaces: [{ name: 'eth0', mtu: 1400, sandbox: '/n' }], routes: [{ dst: '0.0.0.0/0', table: 7 }] }
  await writePlugin('one', `echo '${JSON.stringify(made)}'`)
  await writePlugin('two', `echo '{"interfaces":[{"name":"eth0"}]}'`)
  await addChain(requestOf([{ type: 'one' }, { type: 'two' }], { version: '0.4.0' }))
  expect((await inputOf('two')).prevResult).toEqual({ cniVersion: '0.4.0', ips: [], dns: {}, ...made })
})

test('what a plugin says on standard error is logged, when it does well and when it fails', async () => {
  await writePlugin('one', 'echo "half of it is slow" >&2', `echo '{}'`)
  await addChain(requestOf([{ type: 'one' }]))
  await writePlugin('one', 'echo "all of it is broken" >&2', `echo '{"code":7,"msg":"no"}'; exit 1`)
  await refusalOf(checkChain(requestOf([{ type: 'one' }])))
  const facts = { plugin: 'one', containerId: 'c1', ifName: 'eth0' }
  expect(logged).toEqual([
    [{ ...facts, command: 'ADD', stderr: 'half of it is slow' }, 'a CNI plugin said'],
    [{ ...facts, command: 'CHECK', stderr: 'all of it is broken' }, 'a CNI plugin said'],
  ])
})

describe('at the deadline', () => {
  test('a plugin and all it has started are killed; the error says which plugin, and how long', async () => {
    await writePlugin('one', 'sleep 60 & echo $! > "$0.pids"; echo $$ >> "$0.pids"; wait')
    const deadline = new AbortController()
    const adding = addChain(requestOf([{ type: 'one' }], { signal: deadline.signal }))
    const pids = await vi.waitFor(async () => {
      const lines = (await readFile(join(folder, 'one.pids'), 'utf8')).trim().split('\n')
      expect(lines).toHaveLength(2)
      return lines.map(Number)
    })
    deadline.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
    const error = await refusalOf(adding)
    expect(error.message).toMatch(/^plugin "one" failed ADD: killed after \d+\.\d s: /)
    expect(error.code).toBe(11)
    await vi.waitFor(async () => expect(await Promise.all(pids.map(isAlive))).toEqual([false, false]))
  })

  test('what a plugin left in a session of its own does not hold the answer', async () => {
    await writePlugin('one', 'setsid sh -c \'echo $$ > "$0.pid"; exec sleep 60\' "$0" & wait')
    const deadline = new AbortController()
    const adding = addChain(requestOf([{ type: 'one' }], { signal: deadline.signal }))
    const pid = await vi.waitFor(async () => {
      const text = await readFile(join(folder, 'one.pid'), 'utf8')
      expect(text).toMatch(/\d/)
      return Number(text)
    })
    deadline.abort(new Error('too late'))
    expect((await refusalOf(adding)).message).toContain(' s: too late')
    process.kill(pid)
  })

  test('that has passed already, no plugin is started', async () => {
    await writePlugin('one', `echo '{}'`)
    await expect(
      addChain(requestOf([{ type: 'one' }], { signal: AbortSignal.abort(new Error('over')) })),
    ).rejects.toThrow('over')
    await expect(inputOf('one')).rejects.toThrow('ENOENT')
  })
})

test('CHECK asks where the version has it and the configuration does not forbid it; code 1 is an error as any other', async () => {
  await writePlugin('one', `echo '{"code":1,"msg":"no such verb"}'; exit 1`)
  await checkChain(requestOf([{ type: 'one' }], { version: '0.3.1' }))
  const forbidden = readConfigList({ cniVersion: '1.0.0', name: 'net', disableCheck: true, plugins: [{ type: 'one' }] })
  await checkChain({ ...requestOf([{ type: 'one' }]), list: forbidden })
  const error = await refusalOf(checkChain(requestOf([{ type: 'one' }], { version: '0.4.0' })))
  expect(error).toMatchObject({ code: 1, message: 'plugin "one" failed CHECK: no such verb' })
})
