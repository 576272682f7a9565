import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { NetworkConfigList } from '../../src/cni/request.ts'
import type { AttachmentRef, AttachRequest, NetworkDriver, NodeSide } from '../../src/networks/driver.ts'

/** One fresh world for one test: a driver that has been started, and pods to attach. */
export interface DriverWorld {
  readonly driver: NetworkDriver
  readonly nodeSide: NodeSide
  /** A configuration of the driver's own type. */
  readonly configList: NetworkConfigList
  /** Makes a pod with its own network namespace, as a runtime does before ADD. */
  createPod(name: string): Promise<{ containerId: string; netns: string; pod: AttachRequest['pod'] }>
  /** Removes the pod's namespace under the driver's feet. */
  removeNetns(netns: string): Promise<void>
  /** What this network has on the node now: links, addresses taken, rows …, as lines. Two equal lists mean nothing was left behind. */
  inventory(): Promise<readonly string[]>
  /** Makes the next attach fail after it has had some effect, e.g. by another `configList`; undefined where that cannot be arranged. */
  breakNextAttach?(): Promise<void>
  stop(): Promise<void>
}

const patience = () => AbortSignal.timeout(20_000)

/**
 * What every driver promises (networks/driver.ts). Call at the top level of a test file:
 * `driverContract('routed', createWorld)`.
 */
export function driverContract(name: string, createWorld: () => Promise<DriverWorld>): void {
  describe(`the ${name} driver keeps the contract:`, () => {
    let world: DriverWorld

    beforeEach(async () => {
      world = await createWorld()
    })
    afterEach(() => world.stop())

    async function requestFor(podName: string, ifName = 'eth0'): Promise<AttachRequest> {
      const pod = await world.createPod(podName)
      return {
        ...pod,
        ifName,
        config: world.driver.parseConfig(world.configList),
        configList: world.configList,
        networkName: world.configList.name,
        args: {},
        isDefault: ifName === 'eth0',
        requested: {},
      }
    }

    test('a result names the interface in the pod and has an address', async () => {
      const request = await requestFor('a')
      const result = await world.nodeSide.attach(request, patience())
      const inPod = result.interfaces.findIndex((item) => item.sandbox === request.netns && item.name === 'eth0')
      expect(inPod).toBeGreaterThanOrEqual(0)
      expect(result.interfaces[inPod]?.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)
      expect(result.ips.length).toBeGreaterThan(0)
      for (const ip of result.ips) expect(ip.interface).toBe(inPod)
    })

    test('the same request twice gives the same answer', async () => {
      const request = await requestFor('a')
      const first = await world.nodeSide.attach(request, patience())
      const inventory = await world.inventory()
      expect(await world.nodeSide.attach(request, patience())).toEqual(first)
      expect(await world.inventory()).toEqual(inventory)
    })

    test('two pods have different addresses', async () => {
      const a = await world.nodeSide.attach(await requestFor('a'), patience())
      const b = await world.nodeSide.attach(await requestFor('b'), patience())
      expect(a.ips[0]?.address).not.toBe(b.ips[0]?.address)
    })

    test('detach leaves nothing behind, and may be repeated', async () => {
      const request = await requestFor('a')
      const before = await world.inventory()
      const prevResult = await world.nodeSide.attach(request, patience())
      await world.nodeSide.detach({ ...request, prevResult }, patience())
      expect(await world.inventory()).toEqual(before)
      await world.nodeSide.detach({ ...request, prevResult }, patience())
    })

    test('detach of what was never attached succeeds', async () => {
      const request = await requestFor('a')
      const before = await world.inventory()
      await world.nodeSide.detach(request, patience())
      expect(await world.inventory()).toEqual(before)
    })

    test('detach works without result and with the namespace gone', async () => {
      const request = await requestFor('a')
      const before = await world.inventory()
      await world.nodeSide.attach(request, patience())
      await world.removeNetns(request.netns)
      const ref: AttachmentRef = { ...request, netns: undefined }
      await world.nodeSide.detach(ref, patience())
      // The kernel takes down what a dead namespace held in its own time.
      await vi.waitFor(async () => expect(await world.inventory()).toEqual(before), { timeout: 10_000 })
    })

    test('detach of one pod leaves the other alone', async () => {
      const a = await requestFor('a')
      const b = await requestFor('b')
      await world.nodeSide.attach(a, patience())
      const result = await world.nodeSide.attach(b, patience())
      await world.nodeSide.detach(a, patience())
      expect(await world.nodeSide.verify(b, result)).toEqual([])
    })

    test('verify finds nothing wrong after attach and something after detach', async ({ skip }) => {
      if (!world.driver.capabilities.verbs.includes('CHECK')) skip()
      const request = await requestFor('a')
      const result = await world.nodeSide.attach(request, patience())
      expect(await world.nodeSide.verify(request, result)).toEqual([])
      await world.nodeSide.detach({ ...request, prevResult: result }, patience())
      expect((await world.nodeSide.verify(request, result)).length).toBeGreaterThan(0)
    })

    test('a failed attach leaves nothing behind', async ({ skip }) => {
      if (world.breakNextAttach === undefined) skip()
      await world.breakNextAttach?.()
      const request = await requestFor('a')
      const before = await world.inventory()
      await expect(world.nodeSide.attach(request, patience())).rejects.toThrow()
      expect(await world.inventory()).toEqual(before)
    })

    test('an aborted attach leaves nothing behind', async () => {
      const request = await requestFor('a')
      const before = await world.inventory()
      await expect(world.nodeSide.attach(request, AbortSignal.abort(new Error('too late')))).rejects.toThrow()
      expect(await world.inventory()).toEqual(before)
    })

    test('garbage collection keeps what is valid and removes the rest', async ({ skip }) => {
      if (!world.driver.capabilities.verbs.includes('GC')) skip()
      const kept = await requestFor('kept')
      const result = await world.nodeSide.attach(kept, patience())
      const before = await world.inventory()
      await world.nodeSide.attach(await requestFor('lost'), patience())
      await world.nodeSide.collectGarbage([{ containerId: kept.containerId, ifName: kept.ifName }])
      expect(await world.inventory()).toEqual(before)
      expect(await world.nodeSide.verify(kept, result)).toEqual([])
    })

    test('it is ready when it has been started', () => {
      expect(world.nodeSide.status()).toEqual({ isReady: true, problems: [] })
    })
  })
}
