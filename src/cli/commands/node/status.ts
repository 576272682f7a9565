import type { Command } from 'commander'
import { TwinlaneError } from '../../../base/errors.ts'
import { familyOf, isAddress } from '../../../base/ip.ts'
import { BirdError, queryBird } from '../../../bird/control.ts'
import { type BirdProtocolState, parseProtocols } from '../../../bird/protocols.ts'
import { renderBoxTable } from '../../box-table.ts'
import { type CliIo, note, print } from '../../io.ts'

const defaultSocket = '/run/bird/bird.ctl'

export function registerNodeStatus(node: Command, io: CliIo): void {
  node
    .command('status')
    .description('Show the BGP sessions of this node, as its BIRD has them. Run it on the node, as root.')
    .option('--bird-socket <path>', "BIRD's control socket", defaultSocket)
    .addHelpText('after', '\nExamples:\n  twinlane node status\n  twinlane lab exec master01 -- twinlane node status')
    .action(async (flags: { birdSocket: string }) => {
      const protocols = await readProtocols(flags.birdSocket)
      print(io, renderNodeStatus(protocols))
      if (protocols.flatMap(peerOf).length === 0) note(io, withoutPeers)
    })
}

/** calicoctl says nothing of it, and the article's typing error in a selector leads here. */
const withoutPeers =
  'warning: this node has no BGP session, so it does not learn where the pods of other nodes are\nfix: look at twinlane get bgppeers -o yaml and at the labels that they select'

async function readProtocols(socketPath: string): Promise<BirdProtocolState[]> {
  try {
    return parseProtocols(await queryBird(socketPath, 'show protocols all'))
  } catch (cause) {
    // calicoctl prints this and exits with 0; a script could not tell, so here it is a failure.
    if (!(cause instanceof BirdError)) throw cause
    throw new TwinlaneError('Calico process is not running', {
      cause,
      fix: `run this on a node, as root; BIRD must listen on ${socketPath}`,
    })
  }
}

/** The whole output of `calicoctl node status`, with the blank line at its end. */
export function renderNodeStatus(protocols: readonly BirdProtocolState[]): string {
  const peers = protocols.flatMap(peerOf)
  const section = (family: 4 | 6): string => {
    const ofFamily = peers.filter((peer) => peer.family === family)
    return `IPv${family} BGP status\n${
      ofFamily.length === 0
        ? `No IPv${family} peers found.`
        : renderBoxTable(
            headings,
            ofFamily.map(({ cells }) => cells),
          )
    }`
  }
  return `Calico process is running.\n\n${section(4)}\n\n${section(6)}\n`
}

interface Peer {
  readonly family: 4 | 6
  readonly cells: readonly string[]
}

/** Where the session comes from is the first word of the protocol's name; others than these are not ours. */
const peerTypes = new Map([
  ['Mesh', 'node-to-node mesh'],
  ['Node', 'node specific'],
  ['Global', 'global'],
])

const headings = ['PEER ADDRESS', 'PEER TYPE', 'STATE', 'SINCE', 'INFO']

function peerOf(protocol: BirdProtocolState): Peer[] {
  const [, prefix = '', rest = ''] = /^([A-Za-z]+)_(.*)$/.exec(protocol.name) ?? []
  const type = peerTypes.get(prefix)
  if (type === undefined || protocol.protocol !== 'BGP') return []
  const address = protocol.neighborAddress ?? rest.replaceAll('_', '.')
  const family = isAddress(address) ? familyOf(address) : 4
  return [{ family, cells: [address, type, protocol.state, withoutFraction(protocol.since), protocol.info] }]
}

/** BIRD 2 writes milliseconds where BIRD 1 wrote seconds; the table shows what calicoctl shows. */
function withoutFraction(since: string): string {
  return since.replace(/(\d\d:\d\d:\d\d)\.\d+$/, '$1')
}
