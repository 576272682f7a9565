import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { articleLab } from '../../src/lab/article.ts'
import { findProcess } from '../../src/lab/node/process-id.ts'
import type { LabStatus } from '../../src/lab/status.ts'
import { statusOf, temporaryLabFolder, twinlane } from './support/lab.ts'

const files = await mkdtemp(join(tmpdir(), 'twinlane-lab-files-'))
afterAll(() => rmSync(files, { recursive: true, force: true }))

/** A lab of one node: as much of a life cycle as three have, in less time. */
function labFile(name: string, change: object = {}): string {
  const path = join(files, `${name}.yaml`)
  writeFileSync(path, stringify({ ...articleLab, name, nodes: articleLab.nodes.slice(0, 1), ...change }))
  return path
}

const one = labFile('one')
const up = (folder: string, file = one) => run('lab', 'up', '--state', folder, '-f', file)
const down = (folder: string) => run('lab', 'down', '--state', folder)
const run = (...args: string[]) => twinlane(args, { okCodes: [0, 1, 2, 7] })

/** Every process of a lab that is still alive. */
async function survivors(status: LabStatus): Promise<number[]> {
  const pids = [status.supervisor.pid, ...status.nodes.map((node) => node.init.pid), status.fabric?.pid ?? 0]
  const all = [...pids, ...status.processes.map((each) => each.pid ?? 0)].filter((pid) => pid > 0)
  const found = await Promise.all(all.map(async (pid) => ((await findProcess(pid)) === undefined ? [] : [pid])))
  return found.flat()
}

async function waitUntilDead(status: LabStatus): Promise<void> {
  await expect.poll(() => survivors(status), { timeout: 10_000, interval: 50 }).toEqual([])
}

describe('one lab', () => {
  const folder = temporaryLabFolder()

  test('up starts it and says where the kubeconfig is', async () => {
    const first = await up(folder)
    expect(first.stderr).not.toContain('error')
    expect(first.code).toBe(0)
    expect(first.stdout).toContain(`kubeconfig: ${folder}/kubeconfig`)
    expect(readFileSync(join(folder, 'kubeconfig'), 'utf8')).toContain('twinlane-lab-one')
  })

  test('up a second time leaves it as it is', async () => {
    const before = await statusOf(folder)
    const second = await up(folder)
    expect(second).toMatchObject({ code: 0 })
    expect(second.stdout).toContain('runs already')
    expect((await statusOf(folder)).supervisor).toEqual(before.supervisor)
  })

  test('up with another configuration is refused and touches nothing', async () => {
    const other = await up(folder, labFile('other', { name: 'other' }))
    expect(other.code).toBe(1)
    expect(other.stderr).toContain('a lab with another configuration runs')
    expect(other.stderr).toContain('lab down')
    expect((await statusOf(folder)).phase).toBe('ready')
  })

  test('status names nodes, programs and the API server', async () => {
    const { stdout } = await twinlane(['lab', 'status', '--state', folder])
    expect(stdout).toMatch(/master01 +Ready +192\.168\.122\.10 +192\.168\.100\.10 +192\.168\.200\.10/)
    expect(stdout).toMatch(/master01 +ovn-northd +running +\d+ +0/)
    const json = JSON.parse((await twinlane(['lab', 'status', '--state', folder, '-o', 'json'])).stdout) as LabStatus
    expect(json.nodes[0]).toMatchObject({ name: 'master01', isReady: true })
  })

  test('exec runs on the node, with its exit code and its input', async () => {
    const onNode = (...command: string[]) => run('lab', 'exec', '--state', folder, 'master01', '--', ...command)
    expect((await onNode('hostname')).stdout).toBe('master01\n')
    expect((await onNode('sh', '-c', 'exit 7')).code).toBe(7)
    expect((await onNode('ovs-vsctl', 'get', 'Open_vSwitch', '.', 'external-ids:hostname')).stdout.trim()).toBe(
      'master01',
    )
    const echoed = await twinlane(['lab', 'exec', '--state', folder, 'master01', '--', 'cat'], { input: 'hello' })
    expect(echoed.stdout).toBe('hello')
  })

  test('exec on a node that is not there lists those that are', async () => {
    const wrong = await run('lab', 'exec', '--state', folder, 'nobody', '--', 'true')
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain('master01, tor')
  })

  test('a program that is killed is started again', async () => {
    const before = (await statusOf(folder)).processes.find((each) => each.name === 'bird')
    process.kill(before?.pid ?? 0, 'SIGKILL')
    const restarted = async () => {
      const now = (await statusOf(folder)).processes.find((each) => each.name === 'bird')
      return { restarts: now?.restarts, phase: now?.phase }
    }
    await expect.poll(restarted, { timeout: 10_000 }).toEqual({ restarts: 1, phase: 'running' })
  })

  test('after a kill -9 of the supervisor nothing of the lab lives on, and up starts anew', async () => {
    const before = await statusOf(folder)
    process.kill(before.supervisor.pid, 'SIGKILL')
    await waitUntilDead(before)
    const again = await up(folder)
    expect(again.stderr).not.toContain('error')
    expect(again.code).toBe(0)
    expect((await statusOf(folder)).supervisor.pid).not.toBe(before.supervisor.pid)
  })

  test('down on half a lab, with a node already dead, removes the rest', async () => {
    const before = await statusOf(folder)
    process.kill(before.nodes[0]!.init.pid, 'SIGKILL')
    const gone = await down(folder)
    expect(gone).toMatchObject({ code: 0, stdout: 'The lab is gone.\n' })
    await waitUntilDead(before)
    expect(existsSync(folder)).toBe(false)
  })

  test('down a second time is no error', async () => {
    const again = await down(folder)
    expect(again.code).toBe(0)
    expect(again.stdout).toContain('There is no lab')
  })
})

describe('down after a kill -9', () => {
  const folder = temporaryLabFolder()

  test('removes what the dead supervisor has left, and the kubeconfig’s copies', async () => {
    const copy = join(files, 'copied-kubeconfig')
    expect((await twinlane(['lab', 'up', '--state', folder, '-f', one, '--kubeconfig', copy])).code).toBe(0)
    expect(existsSync(copy)).toBe(true)
    const before = await statusOf(folder)
    process.kill(before.supervisor.pid, 'SIGKILL')
    expect((await down(folder)).stdout).toBe('The lab is gone.\n')
    await waitUntilDead(before)
    expect([existsSync(copy), existsSync(folder)]).toEqual([false, false])
  })
})

describe('two labs', () => {
  const first = temporaryLabFolder()
  const second = temporaryLabFolder()

  test('run side by side, and one goes without the other', async () => {
    const [a, b] = await Promise.all([up(first), up(second, labFile('two'))])
    expect([a.code, b.code]).toEqual([0, 0])
    expect((await down(first)).code).toBe(0)
    expect(await statusOf(second)).toMatchObject({ name: 'two', phase: 'ready' })
  })

  test('two commands at once start one lab', async () => {
    const both = await Promise.all([up(first), up(first)])
    expect(both.map((each) => each.code)).toEqual([0, 0])
  })
})

describe('a lab that cannot be', () => {
  const folder = join(files, 'never')

  test.each([
    ['an unknown field', { speed: 'fast' }, 'speed: unknown field'],
    [
      'overlapping prefixes',
      { ovn: { svcCidr: '10.244.0.0/20' } },
      'ovn.svcCidr: 10.244.0.0/20 overlaps 10.244.0.0/16',
    ],
  ])('%s is one error and leaves nothing behind', async (_, change, message) => {
    const refused = await up(folder, labFile('bad', change))
    expect(refused.code).toBe(1)
    expect(refused.stderr.split('\n')[0]).toContain(message)
    expect(existsSync(folder)).toBe(false)
  })

  test('a kubeconfig that is not a lab’s is not replaced', async () => {
    const mine = join(files, 'mine')
    writeFileSync(mine, 'current-context: production\n')
    const refused = await run('lab', 'up', '--state', folder, '--kubeconfig', mine)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('is not a lab’s')
    expect(readFileSync(mine, 'utf8')).toBe('current-context: production\n')
    expect(readdirSync(files)).not.toContain('never')
  })

  test('an ordinary user is told to use sudo', async () => {
    const args = [
      '--reuid=65534',
      '--clear-groups',
      '--',
      process.execPath,
      'dist/cli.js',
      'lab',
      'up',
      '--state',
      folder,
    ]
    const { exec } = await import('../../src/base/exec.ts')
    const refused = await exec('setpriv', args, { okCodes: [1] })
    expect(refused.stderr).toContain('a lab needs root')
  })
})
