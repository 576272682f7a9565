import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CniError } from '../cni/errors.ts'
import { parseAddress, serveHealth } from './health.ts'
import { createAgentMetrics } from './metrics.ts'

function get(socketPath: string, path: string): Promise<{ code: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, agent: false }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      resolve({ code: response.statusCode, text: Buffer.concat(chunks).toString() })
    })
    call.on('error', reject)
    call.end()
  })
}

test('health, readiness with its reasons and the metrics are told over HTTP', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'health-'))
  const path = join(folder, 'http.sock')
  const problems = ['ovn: no southbound connection']
  const load = {
    connections: 9,
    beforeTurn: 4,
    inFlight: { setup: 2, teardown: 1 },
    waiting: { setup: 6, teardown: 0 },
    paused: { setup: 3, teardown: 0 },
  }
  const netConf = { problems: ['00-multus.conf comes before it'], overwrites: 3 }
  const gauges = [{ name: 'twinlane_x', help: 'Of a network.', values: [{ labels: { state: 'up' }, value: 7 }] }]
  const networks = { all: [{ nodeSide: { gauges: async () => gauges } }, { nodeSide: {} }] }
  const others = { meter: { metrics: [] }, records: { count: 5 } }
  const informers = { pods: { hasSynced: true } }
  const metrics = createAgentMetrics({ load: () => load, informers, netConf, networks, ...others })
  const server = await serveHealth(path, { problems: async () => problems, metrics: metrics.render })
  metrics.observe('ADD', 0.004)
  metrics.observe('ADD', 0.2, new CniError(11, 'later'))
  metrics.observe('DEL', 0.2, new Error('broken'))
  expect(await get(path, '/healthz')).toEqual({ code: 200, text: 'ok\n' })
  expect(await get(path, '/readyz?verbose')).toEqual({ code: 503, text: 'ovn: no southbound connection\n' })
  problems.length = 0
  expect(await get(path, '/readyz')).toEqual({ code: 200, text: 'ok\n' })
  expect((await get(path, '/other')).code).toBe(404)
  const lines = (await get(path, '/metrics')).text.split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      'twinlane_x{state="up"} 7',
      'twinlane_cni_requests_total{verb="ADD",code="0"} 1',
      'twinlane_cni_requests_total{verb="ADD",code="11"} 1',
      'twinlane_cni_requests_total{verb="DEL",code="999"} 1',
      'twinlane_cni_request_duration_seconds_bucket{le="0.005",verb="ADD"} 1',
      'twinlane_cni_requests_in_flight{lane="setup"} 2',
      'twinlane_cni_requests_waiting{lane="setup"} 6',
      'twinlane_cni_requests_paused{lane="setup"} 3',
      'twinlane_cni_requests_before_turn 4',
      'twinlane_attachment_records 5',
      'twinlane_informer_synced{resource="pods"} 1',
      'twinlane_net_conf_problems 1',
      'twinlane_net_conf_overwrites 3',
      expect.stringMatching(/^process_resident_memory_bytes \d{7,}$/),
    ]),
  )
  await server.close()
  await rm(folder, { recursive: true })
})

test('an address is a host with a port, in brackets for IPv6, or the path of a socket', () => {
  expect(parseAddress('127.0.0.1:9091')).toEqual({ host: '127.0.0.1', port: 9091 })
  expect(parseAddress('[::1]:80')).toEqual({ host: '::1', port: 80 })
  expect(parseAddress('/run/x.sock')).toEqual({ path: '/run/x.sock' })
})
