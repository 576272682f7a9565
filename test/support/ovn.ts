import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import type { TlsFiles } from '../../src/ovsdb/remote.ts'
import { ip, makeNetns, removeNetns } from './netns.ts'
import { makePki, tlsFlags } from './ovsdb-cluster.ts'

/** One emulated host: a namespace with ens1 and ens3, its own Open vSwitch and ovn-controller. */
export interface TestNode {
  readonly name: string
  readonly netns: string
  readonly folder: string
  readonly kernel: Kernel
  readonly management: string
  readonly underlay: string
}

/** Two hosts on a fabric with a router at .1 of each network and 203.0.113.1 behind it, and OVN's databases. */
export interface TestFabric {
  readonly folder: string
  readonly fabric: string
  readonly nodes: readonly TestNode[]
  readonly northbound: string
  readonly southbound: string
  readonly tls: TlsFiles | undefined
  spawnIn(netns: string, folder: string, command: readonly string[]): ChildProcess
  /** Sends a signal to an engine: of a node `ovsdb-server`, `ovs-vswitchd`, `ovn-controller`; else `nb`, `sb`, `northd`. */
  signal(name: string, signal: NodeJS.Signals, node?: TestNode): void
  /** Kills ovs-vswitchd. */
  stopSwitch(node: TestNode): void
  startSwitch(node: TestNode): Promise<void>
  restartSwitch(node: TestNode): Promise<void>
  close(): Promise<void>
}

const central = '192.168.122.11'

/** With TLS the southbound database takes nothing else, and the nodes' agents are to be given these files. */
export async function makeFabric({ hasTls = false }: { hasTls?: boolean } = {}): Promise<TestFabric> {
  const folder = await mkdtemp(join(tmpdir(), 'ovn-test-'))
  const real = createKernel()
  const processes = new Map<string, ChildProcess>()
  const fabric = await makeNetns()
  const start = (name: string, netns: string, runFolder: string, command: readonly string[]): ChildProcess => {
    // Engines end with this process, however it ends.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'nsenter', `--net=${netns}`, ...command], {
      stdio: ['ignore', 'ignore', 'ignore'],
      env: {
        ...process.env,
        OVS_RUNDIR: runFolder,
        OVN_RUNDIR: runFolder,
        OVS_LOGDIR: runFolder,
        OVN_LOGDIR: runFolder,
      },
    })
    processes.set(`${runFolder} ${name}`, child)
    return child
  }
  await makeRouter(fabric, real)
  const nodes: TestNode[] = []
  for (const [index, name] of ['n1', 'n2'].entries()) nodes.push(await makeNode(folder, fabric, { name, index, real }))
  for (const node of nodes) await startSwitch(node, start)
  const tls = hasTls ? makePki(folder, 'ovn') : undefined
  await startCentral(folder, nodes[0]!, start, tls)
  for (const node of nodes) start('ovn-controller', node.netns, node.folder, ovnController(node))
  const stopSwitch = (node: TestNode): void => {
    processes.get(`${node.folder} ovs-vswitchd`)?.kill('SIGKILL')
  }
  const launchSwitch = async (node: TestNode): Promise<void> => {
    await rm(join(node.folder, 'brens3.mgmt'), { force: true })
    start('ovs-vswitchd', node.netns, node.folder, vswitchd(node))
  }
  return {
    folder,
    fabric,
    nodes,
    northbound: `unix:${folder}/nb.sock`,
    southbound: `${hasTls ? 'ssl' : 'tcp'}:${central}:6642`,
    tls,
    spawnIn: (netns, runFolder, command) => start(command.join(' '), netns, runFolder, command),
    signal: (name, signal, node) => {
      const child = processes.get(`${node?.folder ?? folder} ${name}`)
      if (child === undefined) throw new Error(`no engine ${name}`)
      child.kill(signal)
    },
    stopSwitch,
    startSwitch: launchSwitch,
    restartSwitch: async (node) => {
      stopSwitch(node)
      await launchSwitch(node)
    },
    close: async () => {
      for (const child of processes.values()) child.kill('SIGKILL')
      for (const netns of [...nodes.map((node) => node.netns), fabric]) await removeNetns(netns)
      await real.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function makeRouter(fabric: string, kernel: Kernel): Promise<void> {
  await ip(fabric, 'link', 'set', 'lo', 'up')
  await ip(fabric, 'addr', 'add', '203.0.113.1/32', 'dev', 'lo')
  for (const [bridge, address] of [
    ['ens1', '192.168.122.1/24'],
    ['ens3', '192.168.200.1/24'],
  ] as const) {
    await kernel.apply(fabric, [
      { op: 'ensureBridge', name: bridge, isUp: true },
      { op: 'ensureAddress', device: bridge, address },
      { op: 'checksumOffload', device: bridge, isOn: false },
    ])
  }
}

async function makeNode(
  folder: string,
  fabric: string,
  { name, index, real }: { name: string; index: number; real: Kernel },
): Promise<TestNode> {
  const netns = await makeNetns()
  const nodeFolder = await mkdtemp(join(folder, `${name}-`))
  const management = `192.168.122.${11 + index}`
  const underlay = `192.168.200.${11 + index}`
  await ip(netns, 'link', 'set', 'lo', 'up')
  for (const [nic, address] of [
    ['ens1', management],
    ['ens3', underlay],
  ] as const) {
    const port = `${nic}-${name}`
    await real.apply(fabric, [
      { op: 'ensureVeth', name: port, peer: { name: nic, netns }, isUp: true },
      { op: 'setLink', name: port, master: nic },
      { op: 'checksumOffload', device: port, isOn: false },
    ])
    await ip(netns, 'link', 'set', nic, 'up')
    await ip(netns, 'addr', 'add', `${address}/24`, 'brd', '+', 'dev', nic)
  }
  await ip(netns, 'route', 'add', 'default', 'via', '192.168.122.1')
  await ip(netns, 'route', 'add', '198.51.100.0/24', 'via', '192.168.200.1', 'dev', 'ens3')
  execFileSync('nsenter', [`--net=${netns}`, 'sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  return { name, netns, folder: nodeFolder, kernel: kernelOf(netns, real), management, underlay }
}

type Start = (name: string, netns: string, folder: string, command: readonly string[]) => ChildProcess

async function startSwitch(node: TestNode, start: Start): Promise<void> {
  const { folder } = node
  const database = join(folder, 'conf.db')
  execFileSync('ovsdb-tool', ['create', database, '/usr/share/openvswitch/vswitch.ovsschema'])
  const socket = `--remote=punix:${folder}/db.sock`
  start('ovsdb-server', node.netns, folder, ['ovsdb-server', database, socket, `--unixctl=${folder}/ovsdb.ctl`])
  await appears(`${folder}/db.sock`)
  execFileSync('ovs-vsctl', [`--db=unix:${folder}/db.sock`, '--no-wait', 'init'])
  start('ovs-vswitchd', node.netns, folder, vswitchd(node))
}

function vswitchd({ folder }: TestNode): string[] {
  return ['ovs-vswitchd', `unix:${folder}/db.sock`, '--disable-system', `--unixctl=${folder}/vsw.ctl`]
}

function ovnController({ folder }: TestNode): string[] {
  return ['ovn-controller', `unix:${folder}/db.sock`, `--pidfile=${folder}/ovn-controller.pid`]
}

async function startCentral(folder: string, node: TestNode, start: Start, tls: TlsFiles | undefined): Promise<void> {
  for (const [name, port] of [
    ['nb', 6641],
    ['sb', 6642],
  ] as const) {
    execFileSync('ovsdb-tool', ['create', join(folder, `${name}.db`), `/usr/share/ovn/ovn-${name}.ovsschema`])
    start(name, node.netns, folder, [
      'ovsdb-server',
      join(folder, `${name}.db`),
      `--remote=punix:${folder}/${name}.sock`,
      `--remote=${tls === undefined ? 'ptcp' : 'pssl'}:${port}:${central}`,
      ...(tls === undefined ? [] : tlsFlags(tls)),
      `--unixctl=${folder}/${name}.ctl`,
    ])
    await appears(`${folder}/${name}.sock`)
  }
  start('northd', node.netns, folder, [
    'ovn-northd',
    `--ovnnb-db=unix:${folder}/nb.sock`,
    `--ovnsb-db=unix:${folder}/sb.sock`,
    `--unixctl=${folder}/northd.ctl`,
  ])
}

/** The real kernel with this namespace in place of the process' own. */
function kernelOf(netns: string, real: Kernel): Kernel {
  const here = (given: string | undefined): string => given ?? netns
  return {
    apply: (at, operations) => real.apply(here(at), operations),
    applyEach: (batches) => real.applyEach(batches.map((batch) => ({ ...batch, netns: here(batch.netns) }))),
    links: (at) => real.links(here(at)),
    findLink: (at, name) => real.findLink(here(at), name),
    addresses: (at, device) => real.addresses(here(at), device),
    routes: (at, options) => real.routes(here(at), options),
    rules: (at, family) => real.rules(here(at), family),
    neighbors: (at, device) => real.neighbors(here(at), device),
    readSysctl: (at, key) => real.readSysctl(here(at), key),
    hasChecksumOffload: (at, device) => real.hasChecksumOffload(here(at), device),
    nft: (at, commands) => real.nft(here(at), commands),
    nftList: (at, command) => real.nftList(here(at), command),
    listenTcp: (at, address, port) => real.listenTcp(here(at), address, port),
    connectTcp: (at, address, port) => real.connectTcp(here(at), address, port),
    fdb: (at, device) => real.fdb(here(at), device),
    watch: (at, onEvent, onResync, filter) => real.watch(here(at), onEvent, onResync, filter),
    watchNft: (at, onChange, onResync) => real.watchNft(here(at), onChange, onResync),
    close: async () => {},
  }
}

async function appears(path: string): Promise<void> {
  for (let n = 0; n < 500 && !existsSync(path); n++) await new Promise((resolve) => setTimeout(resolve, 10))
  if (!existsSync(path)) throw new Error(`${path} did not appear`)
}
