import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AttachmentRecord, parseRecord, settledAttachments } from '../agent/attachment-record.ts'
import { ExecError, exec } from '../base/exec.ts'
import { BirdError, queryBird } from '../bird/control.ts'
import { type BirdRoute, parseRoutes } from '../bird/routes.ts'
import { type Kernel, KernelError, type Netns } from '../kernel/kernel.ts'
import type { NetnsFacts, NodeFacts, PodFacts } from './facts.ts'
import { parseNatRules } from './nat.ts'

export interface CollectOptions {
  readonly node: string
  readonly kernel: Kernel
  /** Where the agent keeps its records, e.g. /var/lib/twinlane. */
  readonly stateFolder: string
  readonly birdSocket: string
  readonly southbound: string
}

/** Everything that a trace needs to know of this node. Changes nothing. */
export async function collectFacts(options: CollectOptions): Promise<NodeFacts> {
  const { node, kernel, stateFolder, birdSocket, southbound } = options
  const [host, pods, ruleset, logicalPorts, switchSocket, bird] = await Promise.all([
    netnsFacts(kernel, undefined),
    podFacts(kernel, join(stateFolder, 'attachments')),
    kernel.nftList(undefined, 'list ruleset'),
    readLogicalPorts(),
    findSwitchSocket(),
    readBird(birdSocket),
  ])
  return { node, host, pods, nat: parseNatRules(ruleset), southbound, switchSocket, logicalPorts, bird }
}

async function netnsFacts(kernel: Kernel, netns: Netns): Promise<NetnsFacts> {
  const [links, addresses, rules] = await Promise.all([
    kernel.links(netns),
    kernel.addresses(netns),
    kernel.rules(netns),
  ])
  const tables = [...new Set(rules.map(({ table }) => table))]
  const routes = await Promise.all(tables.map((table) => kernel.routes(netns, { table })))
  const devices = links.map(({ index, name, mac, isUp }) => ({
    name,
    mac,
    isUp,
    addresses: addresses
      .filter(({ linkIndex }) => linkIndex === index)
      .map(({ address, prefixLength }) => `${address}/${prefixLength}`),
  }))
  const ordered = [...rules].sort((a, b) => a.priority - b.priority)
  return { devices, rules: ordered, routes: routes.flat() }
}

async function podFacts(kernel: Kernel, folder: string): Promise<PodFacts[]> {
  const records = await readRecords(folder)
  const found = await Promise.all(records.map((record) => podOf(kernel, record)))
  return found.filter((pod) => pod !== undefined)
}

/** Undefined for a pod whose namespace has just gone. */
async function podOf(kernel: Kernel, record: AttachmentRecord): Promise<PodFacts | undefined> {
  const { namespace, name } = record.pod
  const interfaces = settledAttachments(record).map(({ ifName, networkName, result }) => ({
    name: ifName,
    network: networkName,
    hostDevice: result?.interfaces?.find(({ sandbox }) => sandbox === undefined || sandbox === '')?.name,
  }))
  try {
    return { namespace, name, interfaces, kernel: await netnsFacts(kernel, record.netns) }
  } catch (error) {
    if (error instanceof KernelError) return undefined
    throw error
  }
}

async function readRecords(folder: string): Promise<AttachmentRecord[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json'))
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))
  return texts.map(parseRecord)
}

/** Device and `iface-id` of every port that has one; none where Open vSwitch does not run. */
async function readLogicalPorts(): Promise<Record<string, string>> {
  const query = ['--format=json', '--columns=name,external_ids', 'list', 'Interface']
  const text = await exec('ovs-vsctl', ['--timeout=5', ...query]).catch((error: unknown) => {
    if (error instanceof ExecError) return undefined
    throw error
  })
  if (text === undefined) return {}
  const { data } = JSON.parse(text.stdout) as { data: [string, ['map', [string, string][]]][] }
  const pairs = data.map(([name, [, ids]]) => [name, new Map(ids).get('iface-id')] as const)
  return Object.fromEntries(pairs.flatMap(([name, id]) => (id === undefined ? [] : [[name, id]])))
}

/** Its usual name holds the process' number. */
async function findSwitchSocket(): Promise<string | undefined> {
  const folder = '/run/openvswitch'
  const names = await readdir(folder).catch(() => [])
  const name = names.find((each) => /^ovs-vswitchd(\.\d+)?\.ctl$/.test(each))
  return name === undefined ? undefined : join(folder, name)
}

async function readBird(socket: string): Promise<BirdRoute[]> {
  try {
    return parseRoutes(await queryBird(socket, 'show route'))
  } catch (error) {
    if (error instanceof BirdError) return []
    throw error
  }
}
