import { type CniResult, emptyResult } from '../../src/cni/result.ts'
import type {
  AttachmentKey,
  AttachmentRef,
  AttachRequest,
  NetworkDriver,
  NodeSide,
  Problem,
} from '../../src/networks/driver.ts'

/** A network in memory that keeps the contract of networks/driver.ts, with switches to make it fail. */
export interface FakeNetwork {
  readonly driver: NetworkDriver
  readonly nodeSide: NodeSide
  /** What is attached, by `<container ID>/<interface>`. */
  readonly attached: Map<string, CniResult>
  /** Every call, e.g. `attach c1/eth0`. */
  readonly calls: string[]
  /** Throw in attach of this interface. */
  failAttach: ((request: AttachRequest) => void) | undefined
  failDetach: ((ref: AttachmentRef) => void) | undefined
}

export interface FakeOptions {
  type: string
  /** Result of an ADD. @default one address, no routes */
  resultOf?: (request: AttachRequest, index: number) => CniResult
  runtimeConfig?: readonly string[]
  /** @default false */
  isIndependent?: boolean
  calls?: string[]
}

/** Makes a network of that type. */
export function createFakeNetwork(options: FakeOptions): FakeNetwork {
  const attached = new Map<string, CniResult>()
  const calls = options.calls ?? []
  const network: FakeNetwork = {
    driver: fakeDriver(options, () => network.nodeSide),
    nodeSide: {
      start: async () => {},
      stop: async () => {},
      attach: async (request, signal) => {
        signal.throwIfAborted()
        calls.push(`attach ${keyOf(request)}`)
        network.failAttach?.(request)
        const result = attached.get(keyOf(request)) ?? resultOf(options, request, attached.size)
        attached.set(keyOf(request), result)
        return result
      },
      detach: async (ref) => {
        calls.push(`detach ${keyOf(ref)}`)
        network.failDetach?.(ref)
        attached.delete(keyOf(ref))
      },
      verify: async (ref) => (attached.has(keyOf(ref)) ? [] : [missing(ref)]),
      collectGarbage: async (valid) => {
        const keep = new Set(valid.map(keyOf))
        for (const key of attached.keys()) if (!keep.has(key)) attached.delete(key)
      },
      status: () => ({ isReady: true, problems: [] }),
    },
    attached,
    calls,
    failAttach: undefined,
    failDetach: undefined,
  }
  return network
}

function fakeDriver(options: FakeOptions, nodeSide: () => NodeSide): NetworkDriver {
  return {
    name: options.type,
    types: [options.type],
    capabilities: {
      runtimeConfig: options.runtimeConfig ?? ['ips', 'mac'],
      canBeDefault: true,
      isIndependent: options.isIndependent ?? false,
      reportsRoutes: true,
      verbs: ['CHECK', 'GC', 'STATUS'],
    },
    resources: [],
    parseSettings: (raw) => raw,
    parseConfig: (list) => {
      if (list.plugins[0]?.bad !== undefined) throw new Error('the configuration is bad')
      return list
    },
    nodeSide,
    preview: async () => ({ result: emptyResult, ranges: [], notes: [] }),
  }
}

function resultOf(options: FakeOptions, request: AttachRequest, index: number): CniResult {
  if (options.resultOf !== undefined) return options.resultOf(request, index)
  return {
    interfaces: [{ name: request.ifName, mac: '02:00:00:00:00:01', mtu: 1500, sandbox: request.netns }],
    ips: [{ address: `10.0.0.${index + 2}/32`, interface: 0 }],
    routes: [],
    dns: {},
  }
}

function missing(ref: AttachmentKey): Problem {
  return { what: `${keyOf(ref)} is not attached` }
}

function keyOf(key: AttachmentKey): string {
  return `${key.containerId}/${key.ifName}`
}
