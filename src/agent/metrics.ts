import { Counter, Gauge, Histogram, type Metric, Registry } from 'prom-client'
import { CniError, cniErrorCode } from '../cni/errors.ts'
import type { CniCommand } from '../cni/request.ts'
import type { CniLoad } from '../cni/socket.ts'
import type { NodeSide } from '../networks/driver.ts'

/** What is asked at the time of a scrape; nothing is counted for it in between. */
export interface MetricSources {
  readonly load: () => CniLoad | undefined
  readonly informers: Readonly<Record<string, { readonly hasSynced: boolean }>>
  readonly networks: { readonly all: readonly { readonly nodeSide: Pick<NodeSide, 'gauges' | 'metrics'> }[] }
  readonly meter: { readonly metrics: readonly Metric[] }
  readonly records: { readonly count: number }
  readonly netConf: { readonly problems: readonly string[]; readonly overwrites: number }
}

/** The agent's numbers in the format of Prometheus; each is described in docs/reference/metrics.md. */
export interface AgentMetrics {
  /** Counts one CNI request; `error` is what it failed with. */
  observe(verb: CniCommand, seconds: number, error?: unknown): void
  /** The text of a scrape. */
  render(): Promise<string>
}

/** From a fast ADD of two networks to the deadline of a delegate. */
const buckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

export function createAgentMetrics(sources: MetricSources): AgentMetrics {
  const registry = new Registry()
  const registers = [registry]
  const requests = new Counter({
    name: 'twinlane_cni_requests_total',
    help: 'CNI requests by verb and CNI error code, 0 for success.',
    labelNames: ['verb', 'code'] as const,
    registers,
  })
  const durations = new Histogram({
    name: 'twinlane_cni_request_duration_seconds',
    help: 'Time from the turn of a CNI request to its answer.',
    labelNames: ['verb'] as const,
    buckets,
    registers,
  })
  const ofNetworks = sources.networks.all.flatMap(({ nodeSide }) => nodeSide.metrics?.() ?? [])
  for (const metric of [...sources.meter.metrics, ...ofNetworks]) registry.registerMetric(metric)
  addLoad(sources, registers)
  addEarly(sources, registers)
  addState(sources, registers)
  addProcess(registers)
  return {
    observe(verb, seconds, error) {
      requests.inc({ verb, code: codeOf(error) })
      durations.observe({ verb }, seconds)
    },
    render: async () => (await registry.metrics()) + (await renderNetworks(sources.networks)),
  }
}

/** Which metrics a network has is known when it is asked. One that does not answer has none. */
async function renderNetworks({ all }: MetricSources['networks']): Promise<string> {
  const found = await Promise.all(all.map(({ nodeSide }) => nodeSide.gauges?.().catch(() => [])))
  const registry = new Registry()
  for (const { name, help, values } of found.flatMap((gauges) => gauges ?? [])) {
    const labelNames = Object.keys(values[0]?.labels ?? {})
    const metric = new Gauge({ name, help, labelNames, registers: [registry] })
    for (const { labels, value } of values) metric.set(labels, value)
  }
  return registry.metrics()
}

function codeOf(error: unknown): number {
  if (error === undefined) return 0
  return error instanceof CniError ? error.code : cniErrorCode.internal
}

function addLoad({ load }: MetricSources, registers: Registry[]): void {
  for (const [kind, name, help] of [
    ['inFlight', 'twinlane_cni_requests_in_flight', 'CNI requests in work.'],
    ['waiting', 'twinlane_cni_requests_waiting', 'CNI requests that wait for their turn.'],
    [
      'paused',
      'twinlane_cni_requests_paused',
      'CNI requests that have begun and wait for what is not done on this node.',
    ],
  ] as const) {
    new Gauge({
      name,
      help,
      labelNames: ['lane'] as const,
      registers,
      collect() {
        for (const lane of ['setup', 'teardown'] as const) this.set({ lane }, load()?.[kind][lane] ?? 0)
      },
    })
  }
}

function addEarly({ load }: MetricSources, registers: Registry[]): void {
  const help = 'CNI requests that wait for the readiness file before they take a turn.'
  gauge('twinlane_cni_requests_before_turn', help, registers, () => load()?.beforeTurn ?? 0)
}

function addState({ informers, netConf, records }: MetricSources, registers: Registry[]): void {
  gauge('twinlane_attachment_records', 'ADDs on record that have had no DEL yet.', registers, () => records.count)
  new Gauge({
    name: 'twinlane_informer_synced',
    help: '1 when the cache of a resource has been filled.',
    labelNames: ['resource'] as const,
    registers,
    collect() {
      for (const [resource, { hasSynced }] of Object.entries(informers)) this.set({ resource }, Number(hasSynced))
    },
  })
  gauge(
    'twinlane_net_conf_problems',
    'Reasons why a runtime would not call us.',
    registers,
    () => netConf.problems.length,
  )
  gauge('twinlane_net_conf_overwrites', 'Changes of our file in net.d by others.', registers, () => netConf.overwrites)
}

function addProcess(registers: Registry[]): void {
  gauge('process_resident_memory_bytes', 'Resident memory.', registers, () => process.memoryUsage.rss())
  gauge('process_cpu_seconds_total', 'CPU time, user and system.', registers, () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
}

function gauge(name: string, help: string, registers: Registry[], read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read())
    },
  })
}
