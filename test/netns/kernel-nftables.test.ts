import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import { makeNetns, removeNetns } from '../support/netns.ts'

describe('nftables in a namespace', () => {
  let kernel: Kernel
  let netns: string

  beforeAll(() => {
    kernel = createKernel()
  })
  afterAll(() => kernel.close())
  beforeEach(async () => {
    netns = await makeNetns()
  })
  afterEach(() => removeNetns(netns))

  const ruleset = async (path: string): Promise<string> =>
    (await exec('nsenter', [`--net=${path}`, 'nft', 'list', 'ruleset'])).stdout
  const table = (address: string): string => `
add table ip twinlane
delete table ip twinlane
table ip twinlane {
  set outside { type ipv4_addr; flags interval; elements = { ${address} } }
  chain postrouting { type nat hook postrouting priority srcnat; ip daddr @outside masquerade; }
}`

  it('replaces a table in one transaction', async () => {
    await kernel.nft(netns, table('10.0.0.0/8'))
    await kernel.nft(netns, table('192.0.2.0/24'))
    const text = await ruleset(netns)
    expect(text).toContain('192.0.2.0/24')
    expect(text).not.toContain('10.0.0.0/8')
    expect(text.match(/masquerade/g)).toHaveLength(1)
  })

  it('changes nothing when one line of a transaction is refused, and says which', async () => {
    await kernel.nft(netns, table('10.0.0.0/8'))
    const wrong = `${table('192.0.2.0/24')}\nadd rule ip twinlane nowhere accept`
    const error = await kernel.nft(netns, wrong).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ name: 'KernelError', code: 'ENOENT', text: expect.stringContaining('nowhere') })
    expect(await ruleset(netns)).toContain('10.0.0.0/8')
  })

  it('lists as JSON', async () => {
    await kernel.nft(netns, table('10.0.0.0/8'))
    const list = await kernel.nftList(netns, 'list table ip twinlane')
    expect(list).toContainEqual({ table: expect.objectContaining({ family: 'ip', name: 'twinlane' }) })
    expect(list).toContainEqual({ rule: expect.objectContaining({ chain: 'postrouting' }) })
  })

  it('adds elements to sets of several tables in one transaction, and keeps those that are there', async () => {
    await kernel.apply(netns, [{ op: 'ensureBridge', name: 'br-one' }])
    await kernel.nft(
      netns,
      `table inet t { set s { type iface_index . ether_addr . ipv6_addr; }; }
table arp t { set s { type iface_index . ether_addr . ipv4_addr; }; }`,
    )
    const [device, mac] = [{ device: 'br-one' }, { mac: '02:00:00:00:0a:01' }]
    const sets = [
      {
        family: 'inet',
        table: 't',
        set: 's',
        keys: [
          [device, mac, { address: 'fd00::7' }],
          [device, mac, { address: '::' }],
        ],
      },
      { family: 'arp', table: 't', set: 's', keys: [[device, mac, { address: '10.0.0.1' }]] },
    ] as const
    for (const _ of [1, 2]) await kernel.apply(netns, [{ op: 'ensureElements', sets }])
    const text = await ruleset(netns)
    for (const address of ['fd00::7', '::', '10.0.0.1'])
      expect(text).toContain(`"br-one" . 02:00:00:00:0a:01 . ${address}`)
    expect(text.match(/br-one/g)).toHaveLength(3)
    const lost = { ...sets[1], set: 'lost' }
    await expect(kernel.apply(netns, [{ op: 'ensureElements', sets: [lost, sets[0]] }])).rejects.toMatchObject({
      code: 'ENOENT',
      what: expect.stringContaining('arp t lost'),
    })
  })

  it('does not tell of elements that are added, but of those that go', async () => {
    await kernel.nft(netns, 'table inet t { set s { type ipv4_addr; }; }')
    const changes: unknown[] = []
    const watch = kernel.watchNft(
      netns,
      (change) => changes.push(change),
      () => {},
    )
    await watch.ready
    const keys = [[{ address: '10.0.0.1' }]]
    await kernel.apply(netns, [{ op: 'ensureElements', sets: [{ family: 'inet', table: 't', set: 's', keys }] }])
    await kernel.nft(netns, 'add table ip marker')
    await expect.poll(() => changes).toEqual([{ family: 'ip', table: 'marker' }])
    await kernel.nft(netns, 'delete element inet t s { 10.0.0.1 }')
    await expect.poll(() => changes).toContainEqual({ family: 'inet', table: 't' })
    await watch.close()
  })

  it('keeps namespaces apart, also where the same index is another device', async () => {
    const other = await makeNetns()
    await kernel.apply(netns, [{ op: 'ensureBridge', name: 'br-one' }])
    await kernel.apply(other, [{ op: 'ensureBridge', name: 'br-two' }])
    for (const [path, device] of [
      [netns, 'br-one'],
      [other, 'br-two'],
    ] as const) {
      await kernel.nft(path, `table ip t {\nchain c {\ntype filter hook input priority 0\niif ${device} accept\n}\n}`)
    }
    expect(await ruleset(netns)).toContain('iif "br-one"')
    expect(await ruleset(other)).toContain('iif "br-two"')
    await expect(kernel.nft(other, 'add rule ip t c iif br-one accept')).rejects.toThrow(/br-one/)
    await removeNetns(other)
  })
})
