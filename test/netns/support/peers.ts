import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exec, spawnProcess } from '../../../src/base/exec.ts'
import { fileAppears } from '../../../src/base/file-appears.ts'
import { eventually } from './routed-cluster.ts'

/** A router of another vendor, in a namespace of its own on the routed cluster's fabric. */
export interface Peer {
  readonly address: string
  /** Its own command line, in its namespace; the answer as JSON. */
  ask(...command: string[]): Promise<unknown>
  /** Kills its daemons with -9. */
  kill(): Promise<void>
  stop(): Promise<void>
}

interface Daemon {
  readonly command: string
  readonly args: readonly string[]
  /** Appears when the daemon works. */
  readonly socket?: string
}

interface PeerSpec {
  readonly name: string
  readonly address: string
  readonly files: Readonly<Record<string, string>>
  /** User and group that the daemons run as. @default root */
  readonly owner?: string
  daemons(folder: string): readonly Daemon[]
  question(folder: string, words: readonly string[]): Daemon
  /** A question that is answered when the daemons work. */
  readonly ready: readonly string[]
}

async function startPeer(spec: PeerSpec): Promise<Peer> {
  const { name, address } = spec
  const folder = await mkdtemp(join(tmpdir(), `${name}-`))
  await exec('ip', ['netns', 'add', name])
  await exec('ip', ['link', 'add', `p-${name}`, 'type', 'veth', 'peer', 'name', 'ens2', 'netns', name])
  await exec('ip', ['link', 'set', `p-${name}`, 'master', 'fabric', 'up'])
  await exec('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  await exec('ip', ['-n', name, 'address', 'add', `${address}/24`, 'dev', 'ens2'])
  await exec('ip', ['-n', name, 'link', 'set', 'ens2', 'up'])
  for (const [file, text] of Object.entries(spec.files)) await writeFile(join(folder, file), text)
  if (spec.owner !== undefined) await exec('chown', ['-R', spec.owner, folder])
  const running: ChildProcess[] = []
  for (const { command, args, socket } of spec.daemons(folder)) {
    running.push(spawnProcess('ip', ['netns', 'exec', name, command, ...args], { stdio: 'ignore' }))
    // FRR's bgpd asks only a bfdd that is there before it.
    if (socket !== undefined) await fileAppears(socket, { what: `${command} to listen`, timeoutMs: 10_000 })
  }
  const kill = async (): Promise<void> => void (await Promise.all(running.map(end)))
  const peer: Peer = {
    address,
    ask: async (...words) => {
      const { command, args } = spec.question(folder, words)
      return JSON.parse((await exec('ip', ['netns', 'exec', name, command, ...args])).stdout)
    },
    kill,
    async stop() {
      await kill()
      await exec('ip', ['netns', 'del', name])
      await rm(folder, { recursive: true, force: true })
    },
  }
  await eventually(`${name} to answer`, () => peer.ask(...spec.ready))
  return peer
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

/** FRR with zebra, bgpd and bfdd; `lines` stand under `router bgp`. */
export function startFrr(options: {
  name: string
  address: string
  asNumber: number
  lines: readonly string[]
}): Promise<Peer> {
  const { name, address, asNumber, lines } = options
  const bgp = [
    `router bgp ${asNumber}`,
    ` bgp router-id ${address}`,
    ' no bgp ebgp-requires-policy',
    ' timers bgp 3 10',
    ...lines.map((line) => ` ${line}`),
    '',
  ].join('\n')
  const args = (folder: string, daemon: string): string[] => [
    ...['--vty_socket', folder, '-z', `${folder}/zserv.api`],
    ...['-i', `${folder}/${daemon}.pid`, '-f', `${folder}/${daemon}.conf`, '-A', '127.0.0.1'],
  ]
  return startPeer({
    name,
    address,
    owner: 'frr:frrvty',
    files: { 'zebra.conf': '', 'bgpd.conf': bgp, 'bfdd.conf': '' },
    daemons: (folder) => [
      { command: '/usr/lib/frr/zebra', args: args(folder, 'zebra'), socket: `${folder}/zebra.vty` },
      {
        command: '/usr/lib/frr/bfdd',
        args: [...args(folder, 'bfdd'), '--bfdctl', `${folder}/bfdd.sock`],
        socket: `${folder}/bfdd.vty`,
      },
      { command: '/usr/lib/frr/bgpd', args: args(folder, 'bgpd'), socket: `${folder}/bgpd.vty` },
    ],
    question: (folder, words) => ({
      command: 'vtysh',
      args: ['--vty_socket', folder, ...words.flatMap((word) => ['-c', word])],
    }),
    ready: ['show bgp summary json'],
  })
}

/** GoBGP; `text` is its configuration after [global.config]. */
export function startGoBgp(options: { name: string; address: string; asNumber: number; text: string }): Promise<Peer> {
  const { name, address, asNumber, text } = options
  const global = `[global.config]\n  as = ${asNumber}\n  router-id = "${address}"\n`
  return startPeer({
    name,
    address,
    files: { 'gobgpd.toml': `${global}${text}` },
    daemons: (folder) => [
      { command: 'gobgpd', args: ['-f', `${folder}/gobgpd.toml`, '--api-hosts', '127.0.0.1:50051', '--pprof-disable'] },
    ],
    question: (_, words) => ({ command: 'gobgp', args: [...words, '-j'] }),
    ready: ['global', 'rib'],
  })
}
