import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostInterfaceName, hostMac } from '../../src/networks/routed/node/names.ts'
import {
  createRoutedCluster,
  eventually,
  type RoutedCluster,
  type RoutedNode,
  type TestPod,
} from './support/routed-cluster.ts'

interface Attached {
  readonly pod: TestPod
  readonly address: string
  readonly mac: string
}

let cluster: RoutedCluster
let work01: RoutedNode
let forger: Attached
let neighbour: Attached
let far: Attached

beforeAll(async () => {
  cluster = await createRoutedCluster({ work01: '192.168.100.101', work02: '192.168.100.102' })
  work01 = cluster.nodes[0] as RoutedNode
  forger = await podOn(work01, 'forger')
  neighbour = await podOn(work01, 'neighbour')
  far = await podOn(cluster.nodes[1] as RoutedNode, 'far')
  await eventually('the way to the other node', () => ping(forger.pod, far.address))
})

afterAll(() => cluster?.stop())

async function podOn(node: RoutedNode, name: string): Promise<Attached> {
  const pod = await cluster.createPod(name)
  const { result, address } = await cluster.attach(node, pod)
  return { pod, address, mac: result.interfaces[1]?.mac ?? '' }
}

function ping(from: { exec(command: string, ...args: string[]): Promise<string> }, to: string) {
  return from.exec('busybox', 'ping', '-c', '1', '-W', '1', to)
}

type Place = Pick<TestPod, 'exec'>

/**
 * The payloads of all datagrams that come to `address` before the one that says `end`. Sent by `send`, the last one
 * honestly: so whatever was sent before it has had its time.
 */
async function received(at: Place, address: string, send: () => Promise<void>): Promise<string[]> {
  const listener = at.exec(
    'python3',
    '-c',
    `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("${address}", 9999)); s.settimeout(10)
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
}

/** Sends UDP datagrams as raw Ethernet frames out of the pod's eth0. */
function sendFrames(from: Place, frames: readonly Frame[]): Promise<string> {
  const script = `import json, socket, struct, sys
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
for f in json.loads(sys.argv[1]):
    data = f["text"].encode()
    udp = struct.pack("!HHHH", 9998, 9999, 8 + len(data), 0) + data
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(f["source"]), socket.inet_aton(f["to"]))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    s.send(bytes.fromhex("${hostMac.replaceAll(':', '')}") + bytes.fromhex(f["sourceMac"].replace(":", "")) + b"\\x08\\x00" + head + udp)`
  return from.exec('python3', '-c', script, JSON.stringify(frames))
}

/** An ARP reply that nobody asked for: \`address\` is at \`mac\`. */
function sendArp(from: Place, address: string, mac: string): Promise<string> {
  const script = `import socket, struct
mac = bytes.fromhex("${mac.replaceAll(':', '')}"); ip = socket.inet_aton("${address}")
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("eth0", 0))
for operation in (1, 2):
    s.send(b"\\xff" * 6 + mac + b"\\x08\\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + ip + b"\\xff" * 6 + ip)`
  return from.exec('python3', '-c', script)
}

describe('a pod that sends raw frames', () => {
  it.each([
    ['to a pod of the same node', () => ({ place: neighbour.pod as Place, to: neighbour.address })],
    ['to a pod of another node', () => ({ place: far.pod as Place, to: far.address })],
    ['to its node', () => ({ place: work01 as Place, to: work01.address })],
  ])('%s gets only those through that have its own address', async (_, target) => {
    const { place, to } = target()
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
    for (const address of [neighbour.address, far.address, work01.address, '192.168.100.102', '169.254.1.1']) {
      await sendArp(forger.pod, address, forger.mac)
    }
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

  it('that has told its node a wrong MAC address of its own harms only itself, and not for long', async () => {
    await sendArp(forger.pod, forger.address, '02:00:00:00:00:66')
    await ping(neighbour.pod, far.address)
    await eventually('the forger', () => ping(work01, forger.address), 60_000)
  })
})
