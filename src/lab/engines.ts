import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { exec } from '../base/exec.ts'
import { birdArguments, initialBirdConfig } from '../bird/daemon.ts'
import type { LabConfig, LabNode } from './config.ts'
import { managementAddress } from './config.ts'
import { enterArguments, nodeEnvironment } from './node/command.ts'
import type { Namespaces } from './node/namespaces.ts'
import type { ReadySign } from './supervised-process.ts'

/** A Debian program of a node: how it starts in the foreground, and what must be there first. */
export interface Engine {
  readonly name: string
  readonly command: readonly string[]
  readonly ready: ReadySign
  /** Engines of the same node that must be ready first. */
  readonly after: readonly string[]
  /** Commands in the node before the first start. */
  readonly prepare: readonly (readonly string[])[]
  /** Commands in the node once it is ready the first time: what Debian's start scripts do. */
  readonly settle: readonly (readonly string[])[]
}

const ovsSocket = '/run/openvswitch/db.sock'
const ovsDatabase = '/var/lib/openvswitch/conf.db'
const toStandardError = ['-vconsole:info', '-vsyslog:off']

/** What every node runs. */
export function nodeEngines(config: LabConfig, node: LabNode): Engine[] {
  return [
    {
      name: 'bird',
      command: ['bird', ...birdArguments()],
      ready: { socket: '/run/bird/bird.ctl' },
      after: [],
      prepare: [],
      settle: [],
    },
    ovsdbServer(config, node),
    {
      name: 'ovs-vswitchd',
      command: [
        'ovs-vswitchd',
        `unix:${ovsSocket}`,
        '--disable-system',
        '--pidfile',
        ...toStandardError,
        '--unixctl=/run/openvswitch/ovs-vswitchd.ctl',
      ],
      ready: { socket: '/run/openvswitch/ovs-vswitchd.ctl' },
      after: ['ovsdb-server'],
      prepare: [],
      settle: [],
    },
    {
      name: 'ovn-controller',
      command: ['ovn-controller', `unix:${ovsSocket}`, '--pidfile', ...toStandardError],
      // 23.03 has no --unixctl, and its own name for the socket holds the pid.
      ready: { file: '/run/ovn/ovn-controller.pid' },
      after: ['ovsdb-server'],
      prepare: [],
      settle: [],
    },
  ]
}

/** What the control-plane node runs besides. */
export function controlPlaneEngines(config: LabConfig, node: LabNode): Engine[] {
  const address = managementAddress(config, node)
  return [
    ovnDatabase('nb', 6641, address),
    ovnDatabase('sb', 6642, address),
    {
      name: 'ovn-northd',
      command: [
        'ovn-northd',
        '--ovnnb-db=unix:/run/ovn/ovnnb_db.sock',
        '--ovnsb-db=unix:/run/ovn/ovnsb_db.sock',
        '--pidfile',
        ...toStandardError,
        '--unixctl=/run/ovn/ovn-northd.ctl',
      ],
      ready: { socket: '/run/ovn/ovn-northd.ctl' },
      after: ['ovn-nb', 'ovn-sb'],
      prepare: [],
      settle: [],
    },
  ]
}

/** Writes the files that engines need before their first start. */
export async function writeEngineFiles(config: LabConfig, node: LabNode, namespaces: Namespaces): Promise<void> {
  const file = `${namespaces.root}/etc/bird/bird.conf`
  const routed =
    config.fabric.networks.find((each) => each.interface !== config.management) ?? config.fabric.networks[0]
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, initialBirdConfig(node.addresses[routed?.interface ?? ''] ?? '0.0.0.0'))
}

/** Runs a short command in a node. Throws ExecError. */
export async function runInNode(
  namespaces: Namespaces,
  command: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const done = await exec('nsenter', enterArguments(namespaces.init.pid, command), {
    cwd: '/',
    env: nodeEnvironment(),
    signal,
  })
  return done.stdout
}

/** Chassis name of a node: stable for a lab's and a node's name, so that tunnel ports are named alike each time. */
export function systemId(config: LabConfig, node: LabNode): string {
  const hex = createHash('sha256').update(`${config.name}/${node.name}`).digest('hex')
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)]
  return parts.join('-')
}

/** Names of the ports that ovn-controller makes on a node: between its bridges, and a tunnel to every other node. */
export function controllerPorts(config: LabConfig, node: LabNode): string[] {
  const localnet = `br${config.ovn.gatewayInterface}_${node.name}`
  const others = config.nodes.filter(({ name }) => name !== node.name)
  const tunnels = others.map((other) => `ovn-${systemId(config, other).slice(0, 6)}-0`)
  return [`patch-${localnet}-to-br-int`, `patch-br-int-to-${localnet}`, ...tunnels]
}

function ovsdbServer(config: LabConfig, node: LabNode): Engine {
  const id = systemId(config, node)
  return {
    name: 'ovsdb-server',
    command: [
      'ovsdb-server',
      ovsDatabase,
      `--remote=punix:${ovsSocket}`,
      '--remote=db:Open_vSwitch,Open_vSwitch,manager_options',
      '--pidfile',
      ...toStandardError,
      '--unixctl=/run/openvswitch/ovsdb-server.ctl',
    ],
    ready: { socket: ovsSocket },
    after: [],
    prepare: [['ovsdb-tool', 'create', ovsDatabase, '/usr/share/openvswitch/vswitch.ovsschema']],
    settle: [
      [
        ...['ovs-vsctl', '--no-wait', '--', 'init', '--', 'set', 'Open_vSwitch', '.'],
        ...[`external-ids:system-id=${id}`, `external-ids:hostname=${node.name}`],
        'external-ids:rundir=/run/openvswitch',
        // As ovs-vswitchd runs without the kernel's datapath: else ovn-controller makes br-int with type system.
        'external-ids:ovn-bridge-datapath-type=netdev',
      ],
    ],
  }
}

/** A busy client is not taken for dead: the server's own default is 5 s. */
const inactivityProbeMs = 60_000

function ovnDatabase(which: 'nb' | 'sb', port: number, address: string): Engine {
  const [database, root] = which === 'nb' ? ['OVN_Northbound', 'NB_Global'] : ['OVN_Southbound', 'SB_Global']
  const socket = `/run/ovn/ovn${which}_db.sock`
  const file = `/var/lib/ovn/ovn${which}_db.db`
  return {
    name: `ovn-${which}`,
    command: [
      'ovsdb-server',
      file,
      `--remote=punix:${socket}`,
      `--remote=db:${database},${root},connections`,
      `--pidfile=/run/ovn/ovn${which}_db.pid`,
      ...toStandardError,
      `--unixctl=/run/ovn/ovn${which}_db.ctl`,
    ],
    ready: { socket: socket },
    after: [],
    prepare: [
      ['ovsdb-tool', 'create', file, `/usr/share/ovn/ovn-${which}.ovsschema`],
      ['ovsdb-tool', 'transact', file, JSON.stringify(listenTransaction({ database, root, port, address }))],
    ],
    settle: [[`ovn-${which}ctl`, `--db=unix:${socket}`, 'init']],
  }
}

/** Where the server listens, as a row of its database, for only there can the probe be set. */
function listenTransaction(where: { database: string; root: string; port: number; address: string }): unknown[] {
  const row = { target: `ptcp:${where.port}:${where.address}`, inactivity_probe: inactivityProbeMs }
  return [
    where.database,
    { op: 'insert', table: 'Connection', 'uuid-name': 'connection', row },
    { op: 'insert', table: where.root, row: { connections: ['named-uuid', 'connection'] } },
  ]
}
