import { beforeAll, describe, expect, it } from 'vitest'
import { type Lab, useLab } from './support/lab.ts'

/** Issue 2, point 1: the article's nodes and networks, and a router that is the outside. */
describe("the article's nodes on the fabric", () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab()
  })

  const nodes = [
    ['master01', 10],
    ['work01', 101],
    ['work02', 102],
  ] as const

  it.each(nodes)('%s has its management and routed NICs with the addresses of the article', async (node, host) => {
    expect(await addressesOf(lab, node, 'ens1')).toContain(`192.168.122.${host}/24`)
    expect(await addressesOf(lab, node, 'ens2')).toContain(`192.168.100.${host}/24`)
  })

  it.each(nodes)('%s has its OVN address on the gateway bridge that holds ens3', async (node, host) => {
    expect(await addressesOf(lab, node, 'brens3')).toContain(`192.168.200.${host}/24`)
    expect(await addressesOf(lab, node, 'ens3')).toEqual([])
  })

  it.each(['192.168.122.1', '192.168.100.1', '192.168.200.1', '203.0.113.1'])(
    'work01 reaches %s, an address of the router',
    async (address) => {
      const { stdout } = await lab.exec('work01', ['ping', '-c', '2', '-i', '0.2', '-W', '2', address])
      expect(stdout).toContain(' 0% packet loss')
    },
  )

  it('each node has its own hostname', async () => {
    for (const [node] of nodes) expect((await lab.exec(node, ['hostname'])).stdout.trim()).toBe(node)
  })

  it('an unknown node is refused by a message that lists the nodes', async () => {
    const refused = await lab.cli(['lab', 'exec', 'work09', '--', 'true'], { okCodes: [1] })
    expect(refused.stderr).toMatch(/work09/)
    expect(refused.stderr).toMatch(/master01.*work01.*work02/)
  })
})

async function addressesOf(lab: Lab, node: string, device: string): Promise<string[]> {
  const { stdout } = await lab.exec(node, ['ip', '-j', '-4', 'addr', 'show', 'dev', device])
  const links = JSON.parse(stdout) as { addr_info?: { local: string; prefixlen: number }[] }[]
  return links.flatMap((link) => link.addr_info ?? []).map((info) => `${info.local}/${info.prefixlen}`)
}
