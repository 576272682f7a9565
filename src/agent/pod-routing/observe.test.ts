import { describe, expect, test } from 'vitest'
import type { Kernel, Route } from '../../kernel/kernel.ts'
import { delegateDriver } from '../../networks/delegate/driver.ts'
import type { NodeSide } from '../../networks/driver.ts'
import type { AttachmentRecord, RecordedAttachment } from '../attachment-record.ts'
import { Networks } from '../networks.ts'
import { observeRoutes } from './observe.ts'

const subnet: Route = { family: 4, destination: '10.1.0.0/24', device: 'eth0', gateway: '10.1.0.1', table: 254 }
const networks = new Networks([{ driver: delegateDriver, nodeSide: {} as NodeSide }])

/** A kernel that counts how often it is asked for routes. */
function countingKernel() {
  const asked: string[] = []
  const kernel = {
    routes: async (netns: string) => {
      asked.push(netns)
      return [subnet]
    },
  } as unknown as Kernel
  return { kernel, asked }
}

function attachment(ifName: string): RecordedAttachment {
  return {
    driver: delegateDriver.name,
    ifName,
    networkName: ifName,
    isDefault: ifName === 'eth0',
    requested: {},
    routing: { table: 1000, keep: [], take: [] },
    args: {},
    configList: { cniVersion: '1.0.0', name: ifName, plugins: [] },
  }
}

function record(...attachments: RecordedAttachment[]): AttachmentRecord {
  const pod = { namespace: 'default', name: 'web', uid: 'u' }
  const base = { version: 1, state: 'adding', containerId: 'c1', ifName: 'eth0', netns: '/run/netns/x' } as const
  return { ...base, pod, args: {}, isWholePod: true, attachments }
}

describe('what plugins installed', () => {
  test('is read once for a pod with two networks, each getting the routes of its own interface', async () => {
    const { kernel, asked } = countingKernel()
    const observed = await observeRoutes(record(attachment('eth0'), attachment('eth1')), { kernel, networks })
    expect(asked).toEqual(['/run/netns/x'])
    expect(observed.attachments.map(({ routing }) => routing?.installed)).toEqual([
      [{ family: 4, destination: '10.1.0.0/24', device: 'eth0', gateway: '10.1.0.1' }],
      [],
    ])
  })

  // Its ADD makes no rules or tables and moves no route: it would wait for an answer that it has no use for.
  test('is not read for a pod with one network, whose ADD copies no routes into tables', async () => {
    const { kernel, asked } = countingKernel()
    const alone = record(attachment('eth0'))
    expect(await observeRoutes(alone, { kernel, networks })).toBe(alone)
    expect(asked).toEqual([])
  })
})
