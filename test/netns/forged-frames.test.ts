import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import type { CniResult } from '../../src/cni/result.ts'
import { hostInterfaceName, hostMac, podGateways, podMac } from '../../src/networks/routed/node/names.ts'
import {
  createRoutedCluster,
  eventually,
  type RoutedCluster,
  type RoutedNode,
  succeeds,
  type TestPod,
} from './support/routed-cluster.ts'

interface Attached {
  readonly pod: TestPod
  readonly address: string
  readonly address6: string
  readonly mac: string
  readonly result: CniResult
}

let cluster: RoutedCluster
let work01: RoutedNode
let forger: Attached
let neighbour: Attached
let far: Attached

beforeAll(async () => {
  cluster = await createRoutedCluster(
    { work01: '192.168.100.101', work02: '192.168.100.102' },
    { ipv6PoolCidr: 'fd00:10:244::/64' },
  )
  work01 = cluster.nodes[0] as RoutedNode
  // The kernel answers ARP for the pods' gateway only where it has a way to it.
  await work01.ip('route', 'add', 'default', 'via', '192.168.100.102')
  forger = await podOn(work01, 'forger')
  neighbour = await podOn(work01, 'neighbour')
  far = await podOn(cluster.nodes[1] as RoutedNode, 'far')
  for (const address of [far.address, far.address6]) {
    await eventually('the way to the other node', () => ping(forger.pod, address))
  }
})

afterAll(() => cluster?.stop())

async function podOn(node: RoutedNode, name: string): Promise<Attached> {
  const pod = await cluster.createPod(name, { assign_ipv6: 'true' })
  const { result, address } = await cluster.attach(node, pod)
  const address6 = result.ips[1]?.address.split('/')[0] ?? ''
  return { pod, result, address, address6, mac: result.interfaces[1]?.mac ?? '' }
}

type Place = Pick<TestPod, 'exec'>

function ping(from: Place, to: string) {
  return from.exec('busybox', 'ping', to.includes(':') ? '-6' : '-4', '-c', '1', '-W', '1', to)
}

/**
 * The payloads of all datagrams that come to `address` before the one that says `end`. Sent by `send`, the last one
 * honestly: so whatever was sent before it has had its time.
 */
async function received(at: Place, address: string, send: () => Promise<void>): Promise<string[]> {
  const listener = at.exec(
    'python3',
    '-c',
    `import socket
s = socket.socket(socket.${address.includes(':') ? 'AF_INET6' : 'AF_INET'}, socket.SOCK_DGRAM); s.bind(("${address}", 9999)); s.settimeout(30)
while True:
    text = s.recv(100).decode()
    print(text)
    if text == "end": break`,
  )
  listener.catch(() => {})
  await eventually('the listener', async () => expect(await at.exec('ss', '-Hlun')).toContain(':9999'))
  await send()
  return (await listener).trim().split('\n')
}

interface Frame {
  readonly text: string
  readonly sourceMac: string
  readonly source: string
  readonly to: string
  /** Between the addresses and the type, in hexadecimal figures. */
  readonly tag?: string
}

/** Sends UDP datagrams as raw Ethernet frames out of the pod's eth0. */
function sendFrames(from: Place, frames: readonly Frame[]): Promise<string> {
  const script = `import json, socket, struct, sys
def checksum(data):
    data += bytes(1) * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def datagram4(source, to, data):
    udp = struct.pack("!HHHH", 9998, 9999, 8 + len(data), 0) + data
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(to))
    return b"\\x08\\x00" + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp
def datagram6(source, to, data):
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, to)
    udp = struct.pack("!HHHH", 9998, 9999, 8 + len(data), 0) + data
    sum = checksum(ends + struct.pack("!II", len(udp), 17) + udp)
    return b"\\x86\\xdd" + struct.pack("!IHBB", 0x60000000, len(udp), 17, 64) + ends + udp[:6] + struct.pack("!H", sum) + udp[8:]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
for f in json.loads(sys.argv[1]):
    make = datagram6 if ":" in f["to"] else datagram4
    macs = bytes.fromhex("${hostMac.replaceAll(':', '')}" + f["sourceMac"].replace(":", "") + f.get("tag", ""))
    s.send(macs + make(f["source"], f["to"], f["text"].encode()))`
  return from.exec('python3', '-c', script, JSON.stringify(frames))
}

interface Claim {
  readonly address: string
  readonly mac: string
  /** Of the Ethernet frame. @default mac */
  readonly sourceMac?: string
  /** Who is asked for. @default the address itself */
  readonly about?: string
}

/** An ARP request and a reply that nobody asked for: `address` is at `mac`. */
function sendArp(from: Place, claims: readonly Claim[]): Promise<string> {
  const script = `import json, socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
raw = lambda mac: bytes.fromhex(mac.replace(":", ""))
for c in json.loads(sys.argv[1]):
    mac = raw(c["mac"]); ip = socket.inet_aton(c["address"]); about = socket.inet_aton(c.get("about", c["address"]))
    for operation in (1, 2):
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + ip + b"\\xff" * 6 + about
        s.send(b"\\xff" * 6 + raw(c.get("sourceMac", c["mac"])) + b"\\x08\\x06" + body)`
  return from.exec('python3', '-c', script, JSON.stringify(claims))
}

const places = [
  ['to a pod of the same node', () => ({ place: neighbour.pod as Place, to: neighbour })],
  ['to a pod of another node', () => ({ place: far.pod as Place, to: far })],
  ['to its node', () => ({ place: work01 as Place, to: work01 })],
] as const

describe('a pod that sends raw frames', () => {
  const strangeMac = '02:00:00:00:00:66'

  it.each(places)('%s gets only those through that have its own addresses', async (_, target) => {
    const { place, to: end } = target()
    const to = end.address
    const own = { sourceMac: forger.mac, source: forger.address, to }
    const forged: Frame[] = [
      { ...own, text: 'as nobody', source: '203.0.113.7' },
      { ...own, text: 'as a free address of the pool', source: '10.244.77.77' },
      { ...own, text: 'as its neighbour', source: neighbour.address },
      { ...own, text: 'as its neighbour, with its MAC', source: neighbour.address, sourceMac: neighbour.mac },
      { ...own, text: 'as a far pod', source: far.address },
      { ...own, text: 'as its node', source: work01.address },
      { ...own, text: 'as the other node', source: '192.168.100.102' },
      { ...own, text: 'as its gateway', source: '169.254.1.1', sourceMac: hostMac },
      { ...own, text: 'as loopback', source: '127.0.0.1' },
      { ...own, text: 'as no address', source: '0.0.0.0' },
      { ...own, text: 'with a MAC of nobody', sourceMac: strangeMac },
      { ...own, text: 'with the MAC of its neighbour', sourceMac: neighbour.mac },
      { ...own, text: 'with the MAC of its node', sourceMac: hostMac },
      { ...own, text: 'with a MAC of nobody in a priority tag', sourceMac: strangeMac, tag: '8100a000' },
    ].filter(({ source }) => source !== to)
    const texts = await received(place, to, async () => {
      const honest = { ...own, text: 'honest' }
      const tagged = { ...own, text: 'honest in a priority tag', tag: '8100a000' }
      await sendFrames(forger.pod, [honest, tagged, ...forged, { ...own, text: 'end' }])
    })
    expect(texts).toEqual(['honest', 'honest in a priority tag', 'end'])
  })

  it.each(places)('%s gets only those through that have its own addresses, over IPv6 too', async (_, target) => {
    const { place, to: end } = target()
    const to = end.address6
    const own = { sourceMac: forger.mac, source: forger.address6, to }
    const forged: Frame[] = [
      { ...own, text: 'as nobody', source: '2001:db8::7' },
      { ...own, text: 'as a free address of the pool', source: 'fd00:10:244::7777' },
      { ...own, text: 'as its neighbour', source: neighbour.address6 },
      { ...own, text: 'as a far pod', source: far.address6 },
      { ...own, text: 'as its node', source: work01.address6 },
      { ...own, text: 'as its gateway', source: podGateways[6], sourceMac: hostMac },
      { ...own, text: 'as another link-local address', source: 'fe80::66' },
      { ...own, text: 'as loopback', source: '::1' },
      { ...own, text: 'as an IPv4 address', source: `::ffff:${forger.address}` },
      { ...own, text: 'with a MAC of nobody', sourceMac: strangeMac },
      { ...own, text: 'with the MAC of its neighbour', sourceMac: neighbour.mac },
    ].filter(({ source }) => source !== to)
    const texts = await received(place, to, async () => {
      await sendFrames(forger.pod, [{ ...own, text: 'honest' }, ...forged, { ...own, text: 'end' }])
    })
    expect(texts).toEqual(['honest', 'end'])
  })

  it('cannot take over the address of another pod, of its node or of the gateway by ARP', async () => {
    const victim = hostInterfaceName(neighbour.pod.request.pod, 'eth0')
    await ping(work01, neighbour.address)
    const before = await work01.ip('neighbor', 'show', neighbour.address)
    const claimed = [neighbour.address, far.address, work01.address, '192.168.100.102', '169.254.1.1']
    await sendArp(
      forger.pod,
      claimed.map((address) => ({ address, mac: forger.mac })),
    )
    expect(await work01.ip('route', 'get', neighbour.address)).toContain(`dev ${victim}`)
    expect((await work01.ip('neighbor', 'show', neighbour.address, 'dev', victim)).split(' ')[2]).toBe(
      before.split(' ')[4],
    )
    expect(await work01.ip('neighbor', 'show', 'dev', 'ens2')).not.toContain(forger.mac)
    await ping(work01, neighbour.address)
    await ping(neighbour.pod, far.address)
    await ping(far.pod, neighbour.address)
    await ping(work01, '192.168.100.102')
  })

  it("leaves nothing in its node's neighbours by ARP and neighbour discovery but its own address and MAC", async () => {
    await ping(work01, forger.address)
    const flood = Array.from({ length: 200 }, (_, at): Claim => {
      return { address: `10.77.0.${at}`, mac: forger.mac, about: '169.254.1.1' }
    })
    await sendArp(forger.pod, [
      ...flood,
      { address: forger.address, mac: strangeMac },
      { address: forger.address, mac: strangeMac, sourceMac: forger.mac },
      { address: forger.address, mac: forger.mac, sourceMac: strangeMac },
    ])
    const script = `import socket, struct
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
mac = bytes.fromhex("${forger.mac.replaceAll(':', '')}"); to = socket.inet_pton(socket.AF_INET6, "${podGateways[6]}")
for number in range(200):
    source = socket.inet_pton(socket.AF_INET6, "fe80::66:%x" % number)
    body = struct.pack("!BBHI", 135, 0, 0, 0) + to + b"\\x01\\x01" + mac
    data = source + to + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~total & 0xffff) + body[4:]
    s.send(bytes.fromhex("${hostMac.replaceAll(':', '')}") + mac + b"\\x86\\xdd" + struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + source + to + body)`
    await forger.pod.exec('python3', '-c', script)
    // What comes after it has been dealt with, so has it.
    for (const address of [forger.address, forger.address6]) await ping(work01, address)
    const device = hostInterfaceName(forger.pod.request.pod, 'eth0')
    const known = (await work01.ip('neighbor', 'show', 'dev', device)).trim().split('\n')
    const found = known.map((line) => line.split(' ').slice(0, 3).join(' '))
    const own = [forger.address, forger.address6].map((address) => `${address} lladdr ${forger.mac}`)
    expect(found).toEqual(expect.arrayContaining(own))
    expect(found.join()).not.toMatch(/10\.77|fe80::66|00:00:66/)
  })

  it('is answered when it asks by ARP, also whether its address is free', async () => {
    const device = hostInterfaceName(forger.pod.request.pod, 'eth0')
    const answered = (source: string) =>
      forger.pod.exec('busybox', 'arping', '-c', '1', '-w', '2', '-I', 'eth0', '-s', source, '169.254.1.1')
    expect(await answered(forger.address)).toMatch(new RegExp(`reply from 169.254.1.1 \\[${hostMac}\\]`, 'i'))
    const { stdout } = await exec('nsenter', [
      `--net=${work01.netns}`,
      'nft',
      'list',
      'table',
      'arp',
      'twinlane-senders',
    ])
    expect(stdout).toContain(`"${device}" . ${forger.mac} . ${forger.mac} . 0.0.0.0`)
  })

  it('that has changed its own MAC address is cut off until it has it back, and CHECK says so', async () => {
    const check = () => work01.nodeSide.verify(forger.pod.request, forger.result, AbortSignal.timeout(5000))
    expect(await check()).toEqual([])
    const set = (mac: string) => forger.pod.exec('ip', 'link', 'set', 'eth0', 'address', mac)
    await set(strangeMac)
    const what = `eth0 has the MAC address ${strangeMac} instead of ${forger.mac}`
    expect(await check()).toContainEqual(expect.objectContaining({ what }))
    expect(await succeeds(ping(forger.pod, neighbour.address))).toBe(false)
    expect(await succeeds(ping(forger.pod, neighbour.address6))).toBe(false)
    await set(forger.mac)
    for (const address of [neighbour.address, neighbour.address6]) {
      await eventually('the pod', () => ping(forger.pod, address), 60_000)
    }
  })

  it('is held to a MAC address of its own choice, too', async () => {
    const pod = await cluster.createPod('chosen')
    const mac = '02:12:34:56:78:9a'
    const { result, address } = await cluster.attach(work01, {
      ...pod,
      request: { ...pod.request, requested: { mac } },
    })
    expect(result.interfaces[1]?.mac).toBe(mac)
    await ping(pod, neighbour.address)
    await work01.restart()
    await ping(pod, neighbour.address)
    const texts = await received(neighbour.pod, neighbour.address, async () => {
      const own = { source: address, to: neighbour.address }
      await sendFrames(pod, [
        { ...own, sourceMac: podMac(pod.request), text: 'with the one it would have' },
        { ...own, sourceMac: mac, text: 'end' },
      ])
    })
    expect(texts).toEqual(['end'])
  })
})

describe("an interface of a Calico that was here before, which does not say which MAC address is its pod's", () => {
  it('is held to the addresses that are routed to it', async () => {
    const pod = await cluster.createPod('old')
    await work01.ip('link', 'add', 'cali0000000000a', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod.netnsName)
    await work01.ip('link', 'set', 'cali0000000000a', 'address', hostMac, 'up')
    await work01.exec('sysctl', '-qw', 'net.ipv4.conf.cali0000000000a.proxy_arp=1')
    await work01.ip('route', 'add', '10.244.250.1', 'dev', 'cali0000000000a')
    await pod.exec('ip', 'address', 'add', '10.244.250.1/32', 'dev', 'eth0')
    await pod.exec('ip', 'address', 'add', '10.244.250.2/32', 'dev', 'eth0')
    await pod.exec('ip', 'link', 'set', 'eth0', 'up')
    await pod.exec('ip', 'route', 'add', '169.254.1.1', 'dev', 'eth0')
    await pod.exec('ip', 'route', 'add', 'default', 'via', '169.254.1.1')
    await eventually('the old pod', () => ping(pod, neighbour.address))
    const forged = pod.exec('busybox', 'ping', '-c', '1', '-W', '1', '-I', '10.244.250.2', neighbour.address)
    expect(await succeeds(forged)).toBe(false)
  })
})
