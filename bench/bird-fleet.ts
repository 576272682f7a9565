import type { ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnProcess } from '../src/base/exec.ts'
import { socketListens } from '../src/base/file-appears.ts'
import { queryBird } from '../src/bird/control.ts'
import { birdArguments, initialBirdConfig } from '../src/bird/daemon.ts'
import { parseProtocols } from '../src/bird/protocols.ts'
import type { Kernel, KernelEvent, KernelWatch, Operation } from '../src/kernel/kernel.ts'
import { createKernel } from '../src/kernel/linux.ts'
import { BirdFile } from '../src/networks/routed/node/bird-file.ts'

/** One node that is nothing but a network namespace with a NIC on the fabric, and BIRD in it. */
export interface FleetNode {
  readonly name: string
  /** Takes a configuration as an agent gives it. Throws BirdError. */
  configure(text: string): Promise<void>
  /** Of BGP sessions that are established. */
  countSessions(): Promise<number>
  /** Resident, in bytes: its own, and its share of what all have in common. */
  memory(): Promise<{ resident: number; share: number }>
  /** Processor time since its start, in milliseconds. */
  cpuMs(): Promise<number>
}

/**
 * BIRDs on one bridge, each in a network namespace of its own, which is gone with the process. Nothing is added to the
 * host's own network.
 */
export class BirdFleet {
  readonly #kernel: Kernel = createKernel()
  readonly #children: ChildProcess[] = []
  readonly #watches: KernelWatch[] = []
  readonly #hosts: Host[] = []
  readonly #folder: string
  readonly #fabric: string
  readonly #onRoute: (node: string, destination: string) => void

  private constructor(folder: string, fabric: ChildProcess, onRoute: (node: string, destination: string) => void) {
    this.#folder = folder
    this.#children.push(fabric)
    this.#fabric = netnsOf(fabric)
    this.#onRoute = onRoute
  }

  /** `onRoute` is called for every route to another node that the kernel of a node gets. */
  static async start(onRoute: (node: string, destination: string) => void): Promise<BirdFleet> {
    const folder = await mkdtemp(join(tmpdir(), 'bird-fleet-'))
    const fabric = spawnProcess('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await new Promise((resolve) => fabric.stdout?.once('data', resolve))
    const fleet = new BirdFleet(folder, fabric, onRoute)
    await fleet.#kernel.apply(fleet.#fabric, [{ op: 'ensureBridge', name: 'fabric', isUp: true }])
    return fleet
  }

  /** A node with BIRD that has no peers yet. */
  async addNode(name: string, address: { text: string; prefixLength: number }): Promise<FleetNode> {
    const home = join(this.#folder, name)
    const [configFile, socket] = [join(home, 'bird.conf'), join(home, 'bird.ctl')]
    await mkdir(home)
    await writeFile(configFile, initialBirdConfig(address.text))
    const child = spawnProcess('unshare', ['--net', 'bird', ...birdArguments({ configFile, socket })], {
      stdio: 'ignore',
    })
    this.#children.push(child)
    await socketListens(socket, { what: `BIRD of ${name} to listen`, timeoutMs: 20_000 })
    await this.#plugIn(name, { netns: netnsOf(child), address: address.text }, address.prefixLength)
    const file = new BirdFile({ configFile, socket })
    return {
      name,
      configure: (text) => file.apply(text),
      countSessions: async () => parseProtocols(await queryBird(socket, 'show protocols')).filter(isEstablished).length,
      memory: () => memoryOf(child),
      cpuMs: () => cpuMsOf(child),
    }
  }

  async stop(): Promise<void> {
    for (const watch of this.#watches) await watch.close()
    const gone = this.#children.map((child) => new Promise((resolve) => child.once('exit', resolve)))
    for (const child of this.#children) child.kill('SIGKILL')
    await Promise.all(gone)
    await this.#kernel.close()
    await rm(this.#folder, { recursive: true })
  }

  async #plugIn(name: string, host: Host, prefixLength: number): Promise<void> {
    const { netns, address } = host
    await this.#kernel.apply(this.#fabric, [
      { op: 'ensureVeth', name, peer: { name: 'ens2', netns, mac: macOf(address) }, isUp: true },
      { op: 'setLink', name, master: 'fabric' },
    ])
    await this.#kernel.apply(netns, [
      { op: 'setLink', name: 'lo', isUp: true },
      { op: 'setLink', name: 'ens2', isUp: true },
      { op: 'ensureAddress', device: 'ens2', address: `${address}/${prefixLength}` },
      ...this.#hosts.map((other) => neighborOperation(other.address)),
    ])
    const batches = this.#hosts.map((other) => ({ netns: other.netns, operations: [neighborOperation(address)] }))
    await this.#kernel.applyEach(batches)
    this.#hosts.push(host)
    const onEvent = (event: KernelEvent): void => {
      if (event.kind === 'route' && event.action === 'new') this.#onRoute(name, event.object.destination)
    }
    const filter = { devices: ['ens2'], kinds: ['route' as const] }
    const watch = this.#kernel.watch(netns, onEvent, () => {}, filter)
    this.#watches.push(watch)
    await watch.ready
  }
}

interface Host {
  readonly netns: string
  readonly address: string
}

/**
 * All hosts share the tables of one kernel, which has room for 1024 neighbours that were asked for; 60 machines would
 * have one each.
 */
function neighborOperation(address: string): Operation {
  const neighbor = { family: 4, address, device: 'ens2', mac: macOf(address), isPermanent: true } as const
  return { op: 'ensureNeighbor', neighbor }
}

function macOf(address: string): string {
  return ['02:00', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':')
}

function netnsOf({ pid }: ChildProcess): string {
  return `/proc/${pid}/ns/net`
}

function isEstablished({ protocol, info }: { protocol: string; info: string }): boolean {
  return protocol === 'BGP' && info === 'Established'
}

async function memoryOf({ pid }: ChildProcess): Promise<{ resident: number; share: number }> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const bytes = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024
  return { resident: bytes('Rss'), share: bytes('Pss') }
}

/** The kernel counts in hundredths of a second (USER_HZ). */
async function cpuMsOf({ pid }: ChildProcess): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8')
  const afterName = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(afterName[11]) + Number(afterName[12])) * 10
}
