/** A packet for OVN. */
export interface Microflow {
  /** Logical port that it comes in by. */
  readonly port: string
  readonly sourceMac: string
  readonly destinationMac: string
  readonly source: string
  readonly destination: string
  /** TCP; ICMP without. */
  readonly tcpPort?: number | undefined
  /** It answers something that passed before. */
  readonly isAnswer: boolean
}

/** Arguments of `ovn-trace`. `backend` is the one that load balancers choose. */
export function ovnTraceArguments(flow: Microflow, southbound: string, backend?: Backend): string[] {
  const ip = flow.source.includes(':') ? 'ip6' : 'ip4'
  const transport = flow.tcpPort === undefined ? echoOf(flow, ip) : tcpOf(flow.tcpPort, flow)
  const expression = [
    `inport == "${flow.port}"`,
    `eth.src == ${flow.sourceMac}`,
    `eth.dst == ${flow.destinationMac}`,
    `${ip}.src == ${flow.source}`,
    `${ip}.dst == ${flow.destination}`,
    'ip.ttl == 64',
    transport,
  ].join(' && ')
  const chosen = backend === undefined ? [] : [`--lb-dst=${renderBackend(backend)}`]
  return [`--db=${southbound}`, `--ct=${flow.isAnswer ? 'est' : 'new'}`, ...chosen, expression]
}

/** Port of whoever asks: any would do. */
const clientPort = 40_000

function echoOf({ isAnswer }: Microflow, ip: 'ip4' | 'ip6'): string {
  return ip === 'ip4' ? `icmp4.type == ${isAnswer ? 0 : 8}` : `icmp6.type == ${isAnswer ? 129 : 128}`
}

function tcpOf(port: number, { isAnswer }: Microflow): string {
  const [from, to] = isAnswer ? [port, clientPort] : [clientPort, port]
  return `tcp.src == ${from} && tcp.dst == ${to}`
}

/** What `ovn-trace` says that OVN does. */
export interface LogicalPath {
  /** Names of datapaths that the packet passes, in order. */
  readonly datapaths: readonly string[]
  /** Logical ports that it leaves by; none: it is dropped. */
  readonly outputs: readonly string[]
  /** What is translated, e.g. `ct_snat(192.168.200.101)`, `ct_lb_mark(backends=10.244.0.5:80)`. */
  readonly translations: readonly string[]
  /** Those of the load balancer that it meets, one of which gets it. */
  readonly backends: readonly Backend[]
}

export interface Backend {
  readonly address: string
  readonly port: number
}

/** Reads the detailed output of `ovn-trace`. */
export function parseOvnTrace(text: string): LogicalPath {
  const headings = [...text.matchAll(/^\s*(?:ingress|egress)\(dp="([^"]+)"/gm)].map(([, name = '']) => name)
  const datapaths = headings.filter((name, index) => name !== headings[index - 1])
  const outputs = [...text.matchAll(/output to "([^"]+)", type "([^"]*)"/g)]
    .filter(([, , type]) => type !== 'patch')
    .map(([, name = '']) => name)
  const translations = [...text.matchAll(/\b(ct_snat|ct_dnat|ct_lb|ct_lb_mark)\(([^)]*\d[^)]*)\)/g)].map(
    ([whole]) => whole,
  )
  const [, backends = ''] = /\bct_lb(?:_mark)?\(backends=([^);]+)/.exec(text) ?? []
  return {
    datapaths,
    outputs: [...new Set(outputs)],
    translations: [...new Set(translations)],
    backends: backends.split(',').flatMap(parseBackend),
  }
}

export function renderBackend({ address, port }: Backend): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function parseBackend(text: string): Backend[] {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text.trim()) ?? []
  const address = bracketed ?? plain
  return address === undefined ? [] : [{ address, port: Number(port) }]
}

/** Arguments of `ovs-appctl` that ask which datapath actions a packet from a device gets. */
export function datapathArguments(flow: Microflow, device: string): string[] {
  const isIpv6 = flow.source.includes(':')
  const transport = flow.tcpPort === undefined ? (isIpv6 ? 'icmp6' : 'icmp') : isIpv6 ? 'tcp6' : 'tcp'
  const [from, to] = isIpv6 ? ['ipv6_src', 'ipv6_dst'] : ['nw_src', 'nw_dst']
  const fields = [
    `in_port=${device}`,
    transport,
    `dl_src=${flow.sourceMac}`,
    `dl_dst=${flow.destinationMac}`,
    `${from}=${flow.source}`,
    `${to}=${flow.destination}`,
    'nw_ttl=64',
    ...(flow.tcpPort === undefined ? [] : [`${flow.isAnswer ? 'tp_src' : 'tp_dst'}=${flow.tcpPort}`]),
  ]
  return ['ofproto/trace', 'br-int', fields.join(',')]
}

/** The datapath actions of the packet; the last, when connection tracking has it looked at again. */
export function parseDatapath(text: string): string | undefined {
  return [...text.matchAll(/^Datapath actions: (.*)$/gm)].at(-1)?.[1]
}
