import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { runInNode } from '../../src/lab/engines.ts'
import { type Namespaces, startNamespaces } from '../../src/lab/node/namespaces.ts'
import { findProcess, isAlive, signalProcess } from '../../src/lab/node/process-id.ts'
import { ProcessStartError, type ReadySign, SupervisedProcess } from '../../src/lab/supervised-process.ts'

const never = new AbortController().signal
// A repository may lie in a tree that the node overlays: there, the folder must stay the host's own.
const folder = mkdtempSync('/var/tmp/twinlane-node-')
let node: Namespaces

beforeAll(async () => {
  mkdirSync(join(folder, 'state'))
  node = await startNamespaces({ hostname: 'work01', hosts: ['192.0.2.1 work01'], visible: [folder] }, never)
})
afterAll(async () => {
  await node.stop()
  rmSync(folder, { recursive: true, force: true })
})

const sh = (script: string) => runInNode(node, ['sh', '-c', script])

describe('a node', () => {
  test('has a host name, an /etc/hosts and processes of its own', async () => {
    expect(await sh('hostname; cat /etc/hostname')).toBe('work01\nwork01\n')
    expect(await sh('cat /etc/hosts')).toContain('192.0.2.1 work01')
    expect(await sh('cat /proc/1/comm')).toBe('cat\n')
    expect((await sh('ls /sys/class/net')).trim()).toBe('lo')
  })

  test('changes its /etc, /opt and /var without the host noticing', async () => {
    await sh('for tree in etc opt var; do echo mine > /$tree/twinlane-node-test; done; touch /run/twinlane-node-test')
    for (const tree of ['etc', 'opt', 'var', 'run']) expect(existsSync(`/${tree}/twinlane-node-test`)).toBe(false)
    expect(await sh('cat /var/twinlane-node-test')).toBe('mine\n')
  })

  test('starts without what the host has in the folders of CNI, OVS and OVN', async () => {
    expect(await sh('ls /etc/cni/net.d /opt/cni/bin /var/lib/cni /var/lib/openvswitch | grep -v :')).toBe('\n\n\n')
  })

  test('shares a visible folder with the host, both ways, though it lies under /var', async () => {
    await sh(`echo from node > ${folder}/state/a`)
    expect(readFileSync(join(folder, 'state', 'a'), 'utf8')).toBe('from node\n')
    writeFileSync(join(folder, 'state', 'b'), 'from host\n')
    expect(await sh(`cat ${folder}/state/b`)).toBe('from host\n')
  })

  test('reaps orphans', async () => {
    await sh('(sleep 0.05 &)')
    await expect.poll(() => sh('ps ax | grep -c "[d]efunct" || true'), { timeout: 2000 }).toBe('0\n')
  })

  test('takes every process with it when it is stopped', async () => {
    const other = await startNamespaces({ hostname: 'gone', hosts: [], visible: [] }, never)
    const program = await started(other, ['sleep', '1000'])
    const { pid } = await program.status()
    await other.stop()
    await expect.poll(() => findProcess(pid ?? 0), { timeout: 2000 }).toBeUndefined()
    await program.stop(100)
  })

  test('that cannot be made says why', async () => {
    const wrong = startNamespaces({ hostname: 'work01', hosts: [], visible: ['/var/not-there'] }, never)
    await expect(wrong).rejects.toThrow(/namespaces of work01 could not be made: .*\/var\/not-there/)
  })
})

function programOf(namespaces: Namespaces, command: string[], ready?: ReadySign): SupervisedProcess {
  const logFile = join(folder, `${Math.random()}.log`)
  const spec = { name: 'program', node: namespaces, command, logFile, ...(ready === undefined ? {} : { ready }) }
  return new SupervisedProcess(spec, silentLog)
}

async function started(namespaces: Namespaces, command: string[]): Promise<SupervisedProcess> {
  const program = programOf(namespaces, command)
  await program.start(never)
  await expect.poll(async () => (await program.status()).pid).toBeGreaterThan(0)
  return program
}

describe('a supervised program', () => {
  test('is ready when its file is there', async () => {
    const program = programOf(node, ['sh', '-c', 'sleep 0.1; touch /run/ready; exec sleep 1000'], {
      file: '/run/ready',
    })
    await program.start(never)
    expect(await sh('ls /run/ready')).toBe('/run/ready\n')
    expect(await program.status()).toMatchObject({ phase: 'running', restarts: 0 })
    await program.stop(1000)
  })

  test('that ends before it is ready is an error with its last lines', async () => {
    const program = programOf(node, ['sh', '-c', 'echo the reason; exit 3'], { file: '/run/never' })
    const failure = program.start(never)
    await expect(failure).rejects.toThrow(ProcessStartError)
    await expect(failure).rejects.toThrow(/program on work01 did not start \(exit code 3\)[\s\S]*the reason/)
  })

  test('is restarted when it is killed, and not after it was stopped', async () => {
    const program = await started(node, ['sleep', '1000'])
    const first = await program.status()
    process.kill(first.pid ?? 0, 'SIGKILL')
    await expect.poll(async () => (await program.status()).restarts, { timeout: 3000 }).toBe(1)
    await expect.poll(async () => (await program.status()).pid, { timeout: 3000 }).not.toBe(undefined)
    const { pid } = await program.status()
    await program.stop(1000)
    expect(await program.status()).toMatchObject({ phase: 'stopped', restarts: 1 })
    expect(await findProcess(pid ?? 0)).toBeUndefined()
  })

  test('that ignores SIGTERM is killed after the time it was given', async () => {
    const program = await started(node, ['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'])
    const { pid } = await program.status()
    await program.stop(200)
    await expect.poll(() => findProcess(pid ?? 0), { timeout: 2000 }).toBeUndefined()
  })
})

describe('a process id', () => {
  test('with another start time is another process, and gets no signal', async () => {
    const own = await findProcess(process.pid)
    expect(await isAlive(own!)).toBe(true)
    expect(await signalProcess({ pid: process.pid, startTime: '1' }, 'SIGKILL')).toBe(false)
  })
})
