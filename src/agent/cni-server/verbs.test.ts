import { readdirSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFakeNetwork, type FakeNetwork } from '../../../test/contract/fake-driver.ts'
import { Calm } from '../../base/calm.ts'
import { describeError } from '../../base/errors.ts'
import { KeyedLock } from '../../base/keyed-lock.ts'
import { silentLog } from '../../base/log.ts'
import { CniError } from '../../cni/errors.ts'
import type { CniCommand, CniRequest } from '../../cni/request.ts'
import { createFakeKernel } from '../../kernel/fake.ts'
import { createFakeKube, type FakeKube } from '../../kube/fake.ts'
import { createInformer } from '../../kube/informer.ts'
import { type PodResource, pods } from '../../kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../../kube/resources/net-attach-def.ts'
import { AttachmentStore } from '../attachment-store.ts'
import { Devices } from '../devices/devices.ts'
import { Networks } from '../networks.ts'
import { restoreRecords } from '../restore.ts'
import { StatusWriter } from '../status-writer.ts'
import type { CniContext } from './context.ts'
import { createCniHandle } from './handle.ts'

const statusAnnotation = 'k8s.v1.cni.cncf.io/network-status'
/** Never the namespace that the agent itself is in. */
const netns = '/proc/self/ns/mnt'

let folder: string
let kube: FakeKube
let first: FakeNetwork
let second: FakeNetwork
let calls: string[]
let eventLines: string[]
let context: CniContext
let stop: AbortController

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verbs-'))
  kube = createFakeKube()
  const annotations = { 'k8s.v1.cni.cncf.io/networks': 'second@eth1' }
  kube.seed(pods, { metadata: { name: 'web', namespace: 'default', annotations } })
  const config = JSON.stringify({ cniVersion: '1.0.0', type: 'second' })
  kube.seed(networkAttachmentDefinitions, { metadata: { name: 'second', namespace: 'default' }, spec: { config } })
  calls = []
  eventLines = []
  first = createFakeNetwork({ type: 'first', calls })
  second = createFakeNetwork({ type: 'second', calls })
  stop = new AbortController()
  context = await createContext()
})
afterEach(async () => {
  stop.abort()
  await context.statusWriter.stop()
  await rm(folder, { recursive: true })
})

async function createContext(): Promise<CniContext> {
  const networks = new Networks([first, second], (type) => (type === 'first' ? first : second).driver)
  const store = new AttachmentStore(join(folder, 'attachments'))
  await store.open()
  const informers = {
    pods: createInformer(kube, pods, { log: silentLog }),
    definitions: createInformer(kube, networkAttachmentDefinitions, { log: silentLog }),
  }
  await Promise.all([informers.pods.start(stop.signal), informers.definitions.start(stop.signal)])
  const at = (name: string): string => join(folder, name)
  const kernel = createFakeKernel()
  kernel.addNetns(netns)
  return {
    kube,
    kernel,
    ...informers,
    networks,
    devices: new Devices({ kubeletFolder: at('kubelet'), deviceInfoFolder: at('devinfo') }),
    store,
    events: { event: (_, type, reason, message) => void eventLines.push(`${type} ${reason} ${message}`) },
    calm: new Calm(),
    containers: new KeyedLock(),
    statusWriter: new StatusWriter(kube, silentLog, new Calm()),
    log: silentLog,
    paths: {
      stateFolder: at('state'),
      runFolder: at('run'),
      birdSocket: at('bird.ctl'),
      birdConfigFile: at('bird.conf'),
      ovsdbSocket: at('db.sock'),
      cniBinFolders: [at('bin')],
    },
  }
}

function request(command: CniCommand, changes: Partial<CniRequest> = {}, config: object = {}): CniRequest {
  return {
    command,
    containerId: 'c1',
    netns,
    ifName: 'eth0',
    args: { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'web' },
    path: [],
    pluginName: 'twinlane',
    config: {
      cniVersion: '1.1.0',
      name: 'multus-cni-network',
      type: 'twinlane',
      delegates: [{ cniVersion: '1.0.0', name: 'default-net', type: 'first' }],
      ...config,
    },
    ...changes,
  }
}

function call(...args: Parameters<typeof request>): Promise<unknown> {
  return createCniHandle(context)(request(...args), stop.signal)
}

async function web(): Promise<PodResource> {
  return await kube.get(pods, 'web', 'default')
}

async function records(): Promise<string[]> {
  return await readdir(join(folder, 'attachments'))
}

describe('ADD', () => {
  test('attaches both networks, answers with the first, and records what it did', async () => {
    const result = await call('ADD')
    expect(result).toMatchObject({ cniVersion: '1.1.0', interfaces: [{ name: 'eth0' }] })
    expect(calls).toEqual(['attach c1/eth0', 'attach c1/eth1'])
    expect(await records()).toEqual(['c1@eth0.json'])
    expect(context.store.find({ containerId: 'c1', ifName: 'eth0' })).toMatchObject({
      state: 'added',
      attachments: [
        { driver: 'first', result: {} },
        { driver: 'second', nad: { name: 'second' }, result: {} },
      ],
    })
    await context.statusWriter.idle()
    expect(JSON.parse((await web()).metadata.annotations?.[statusAnnotation] ?? '')).toHaveLength(2)
  })

  test('writes its intent before the first effect', async () => {
    let seen: string[] = []
    first.failAttach = () => {
      // At this very moment: a moment later the finished record is on its way.
      seen = readdirSync(join(folder, 'attachments'))
    }
    await call('ADD')
    expect(seen).toEqual(['c1@eth0.json'])
  })

  test('that fails leaves no record, and says so in an event', async () => {
    second.failAttach = () => {
      throw new CniError(11, 'the pool is full')
    }
    await expect(call('ADD')).rejects.toMatchObject({ code: 11 })
    expect([first.attached.size, second.attached.size, await records()]).toEqual([0, 0, []])
    expect(eventLines).toEqual(['Warning FailedAttachment network "default/second" (eth1): the pool is full'])
  })

  test('whose undo fails keeps the record, and the next agent takes the rest back', async () => {
    second.failAttach = () => {
      throw new Error('no')
    }
    first.failDetach = () => {
      throw new Error('stuck')
    }
    await expect(call('ADD')).rejects.toThrow('stuck')
    expect(await records()).toEqual(['c1@eth0.json'])
    first.failDetach = undefined
    await restoreRecords(context, stop.signal)
    expect([first.attached.size, await records()]).toEqual([0, []])
  })

  test('repeated for the same container answers the same', async () => {
    const result = await call('ADD')
    expect(await call('ADD')).toEqual(result)
    expect(first.attached.size).toBe(1)
  })

  test('repeated after the annotation lost a network detaches that network', async () => {
    await call('ADD')
    const pod = await web()
    await kube.update(pods, { ...pod, metadata: { ...pod.metadata, annotations: {} } })
    await expect.poll(() => context.pods.get('web', 'default')?.metadata.annotations).toEqual({})
    await call('ADD')
    expect([first.attached.size, second.attached.size]).toEqual([1, 0])
  })

  test('asks the API server once for a pod that the informer does not have', async () => {
    kube.seed(pods, { metadata: { name: 'new', namespace: 'default' } })
    context = { ...context, pods: createInformer(kube, pods, { log: silentLog }) }
    kube.requests.length = 0
    await call('ADD', { args: { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'new' } })
    expect(
      kube.requests.filter((item) => item.type?.kind === 'Pod' && item.verb !== 'patch').map((item) => item.verb),
    ).toEqual(['get'])
  })

  test('of a pod that does not exist is told to try again', async () => {
    const args = { K8S_POD_NAMESPACE: 'default', K8S_POD_NAME: 'gone' }
    await expect(call('ADD', { args })).rejects.toMatchObject({ code: 11 })
    await expect(call('ADD', { args: { K8S_POD_NAME: 'web', K8S_POD_UID: 'u' } })).rejects.toMatchObject({ code: 4 })
  })
})

describe('a single network called by its own name', () => {
  const alone = { delegates: undefined, name: 'ovn', type: 'second' }

  test('is attached and detached alone, whatever the pod asks for', async () => {
    const result = await call('ADD', { pluginName: 'second', ifName: 'net1' }, alone)
    expect(result).toMatchObject({ interfaces: [{ name: 'net1' }] })
    expect(calls).toEqual(['attach c1/net1'])
    await call('DEL', { pluginName: 'second', ifName: 'net1' }, alone)
    expect([second.attached.size, await records()]).toEqual([0, []])
    expect(eventLines).toEqual([])
  })

  test('is refused as mere address management', async () => {
    await expect(call('ADD', { pluginName: 'calico-ipam' }, alone)).rejects.toMatchObject({ code: 2 })
  })
})

describe('DEL', () => {
  test('without a record asks every network', async () => {
    await call('DEL')
    expect(calls.toSorted()).toEqual(['detach c1/eth0', 'detach c1/eth0'])
  })

  test('that fails is reported and keeps the record for the next try', async () => {
    await call('ADD')
    second.failDetach = () => {
      throw new Error('busy')
    }
    const error = await call('DEL').catch(describeError)
    expect(error).toBe('detaching network "default/second" (eth1): busy')
    expect([first.attached.size, second.attached.size, await records()]).toEqual([0, 1, ['c1@eth0.json']])
    second.failDetach = undefined
    await call('DEL')
    expect([second.attached.size, await records()]).toEqual([0, []])
  })

  test('of a record that cannot be read is an error', async () => {
    await call('ADD')
    await writeFile(join(folder, 'attachments', 'c1@eth0.json'), '{}')
    await expect(call('DEL')).rejects.toThrow('cannot be read')
    expect(calls).toEqual(['attach c1/eth0', 'attach c1/eth1'])
  })
})

describe('CHECK, GC and STATUS', () => {
  test('CHECK names the network that is not as it should be', async () => {
    await expect(call('CHECK')).rejects.toMatchObject({ code: 3 })
    await call('ADD')
    await call('CHECK')
    second.attached.clear()
    await expect(call('CHECK')).rejects.toThrow('network "default/second" (eth1): c1/eth1 is not attached')
  })

  test('GC keeps both networks of a valid container, and everything when a record cannot be read', async () => {
    await call('ADD')
    await call('GC', {}, { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] })
    expect([first.attached.size, second.attached.size]).toEqual([1, 1])
    await writeFile(join(folder, 'attachments', 'x@eth0.json'), '?')
    await expect(call('GC', {}, { 'cni.dev/valid-attachments': [] })).rejects.toThrow('x@eth0.json')
    expect(first.attached.size).toBe(1)
    await rm(join(folder, 'attachments', 'x@eth0.json'))
    await call('GC', {}, { 'cni.dev/valid-attachments': [] })
    expect([first.attached.size, second.attached.size, await records()]).toEqual([0, 0, []])
    await expect(call('GC')).rejects.toMatchObject({ code: 7 })
  })

  test('STATUS says why the default network is not ready', async () => {
    await call('STATUS')
    first.nodeSide.status = () => ({ isReady: false, problems: ['BIRD does not answer'] })
    await expect(call('STATUS')).rejects.toMatchObject({ code: 50, message: expect.stringContaining('BIRD does not') })
  })
})

describe('the next agent', () => {
  test('writes a network-status that did not get out', async () => {
    kube.intercept((item) => {
      if (item.verb === 'patch') throw new Error('the API server is down')
    })
    await call('ADD')
    await context.statusWriter.stop()
    kube.intercept(undefined)
    context = await createContext()
    await restoreRecords(context, stop.signal)
    await context.statusWriter.idle()
    expect((await web()).metadata.annotations?.[statusAnnotation]).toContain('default/second')
  })

  test('takes back what has neither pod nor namespace any more, and nothing else', async () => {
    await call('ADD')
    await restoreRecords(context, stop.signal)
    expect(first.attached.size).toBe(1)
    await kube.delete(pods, 'web', { namespace: 'default' })
    await expect.poll(() => context.pods.get('web', 'default')).toBeUndefined()
    await restoreRecords(context, stop.signal)
    expect(first.attached.size).toBe(1)
    const record = context.store.find({ containerId: 'c1', ifName: 'eth0' })
    context.store.complete({ ...record!, netns: '/run/netns/gone' })
    await restoreRecords(context, stop.signal)
    expect([first.attached.size, second.attached.size, await records()]).toEqual([0, 0, []])
  })
})
