import { expect, test } from 'vitest'
import { createFakeNetwork, type FakeNetwork } from '../../test/contract/fake-driver.ts'
import { UndoStack } from '../base/undo.ts'
import { CniError } from '../cni/errors.ts'
import { attachAll } from './attach-all.ts'
import { detachAll } from './detach-all.ts'
import type { SelectedAttachment } from './select/types.ts'

const sandbox = {
  containerId: 'c1',
  netns: '/run/netns/x',
  pod: { namespace: 'default', name: 'p', uid: 'u' },
  args: { K8S_POD_NAME: 'p' },
}

function setUp(count: number, badIndex = -1) {
  const calls: string[] = []
  const networks = Array.from({ length: count }, (_, index) => createFakeNetwork({ type: `net${index}`, calls }))
  const attachments = networks.map(({ driver }, index): SelectedAttachment => {
    const plugin = { cniVersion: '1.0.0', name: 'n', type: driver.name, ...(index === badIndex ? { bad: true } : {}) }
    return {
      ifName: `eth${index}`,
      networkName: `default/net${index}`,
      driver,
      configList: { cniVersion: '1.0.0', name: 'n', plugins: [plugin] },
      isDefault: index === 0,
      requested: {},
      args: { MAC: 'm' },
    }
  })
  const sideOf = new Map(networks.map((network) => [network.driver, network.nodeSide]))
  const undo = new UndoStack()
  const run = (signal = new AbortController().signal) =>
    attachAll({ sandbox, attachments, nodeSide: (driver) => sideOf.get(driver)!, undo, signal })
  return { calls, networks, undo, run }
}

function fail(network: FakeNetwork | undefined): void {
  if (network !== undefined) {
    network.failAttach = () => {
      throw new CniError(11, 'the pool is full', { fix: 'Enlarge it.' })
    }
  }
}

test('networks are attached in order, each with the arguments of runtime and annotation', async () => {
  const { calls, run } = setUp(3)
  const attached = await run()
  expect(calls).toEqual(['attach c1/eth0', 'attach c1/eth1', 'attach c1/eth2'])
  expect(attached.map((item) => item.result.interfaces[0]?.name)).toEqual(['eth0', 'eth1', 'eth2'])
})

test('a bad configuration anywhere is found before the first effect', async () => {
  const { calls, run } = setUp(3, 2)
  await expect(run()).rejects.toThrow('network "default/net2" (eth2): the configuration is bad')
  expect(calls).toEqual([])
})

test('the first failure wins with its own code, and everything begun is undone in reverse', async () => {
  const { calls, networks, undo, run } = setUp(3)
  fail(networks[1])
  const error = await run().catch((failure) => failure)
  expect(error).toMatchObject({
    code: 11,
    message: 'network "default/net1" (eth1): the pool is full',
    fix: 'Enlarge it.',
  })
  expect(await undo.unwind(error)).toBe(error)
  expect(calls).toEqual(['attach c1/eth0', 'attach c1/eth1', 'detach c1/eth1', 'detach c1/eth0'])
  expect(networks.every((network) => network.attached.size === 0)).toBe(true)
})

test('an undo that fails does not keep the others from being undone', async () => {
  const { calls, networks, undo, run } = setUp(3)
  fail(networks[2])
  networks[1]!.failDetach = () => {
    throw new Error('stuck')
  }
  const error = await undo.unwind(await run().catch((failure) => failure))
  expect((error as Error).message).toContain('the pool is full')
  expect((error as Error).message).toContain('stuck')
  expect(calls.slice(3)).toEqual(['detach c1/eth2', 'detach c1/eth1', 'detach c1/eth0'])
})

test('a request that is over stops between two networks', async () => {
  const { calls, networks, run } = setUp(2)
  const controller = new AbortController()
  networks[0]!.failAttach = () => controller.abort(new Error('deadline'))
  await expect(run(controller.signal)).rejects.toThrow('deadline')
  expect(calls).toEqual(['attach c1/eth0'])
})

test('detach goes in reverse, never stops and reports every failure', async () => {
  const { calls, networks } = setUp(3)
  networks[2]!.failDetach = () => {
    throw new Error('x')
  }
  networks[0]!.failDetach = () => {
    throw new Error('y')
  }
  const detachments = networks.map(({ nodeSide, driver }, index) => ({
    nodeSide,
    isIndependent: false,
    reportsRoutes: true,
    ref: {
      ...sandbox,
      ifName: `eth${index}`,
      networkName: driver.name,
      config: {},
      configList: { cniVersion: '1.0.0', name: 'n', plugins: [] },
    },
  }))
  const error: Error = await detachAll(detachments, new AbortController().signal).catch((failure) => failure)
  expect(calls).toEqual(['detach c1/eth2', 'detach c1/eth1', 'detach c1/eth0'])
  expect(error.message).toContain('network "net2" (eth2): x')
  expect(error.message).toContain('network "net0" (eth0): y')
})
