import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeNetns, removeNetns } from '../support/netns.ts'
import { AgentNode, interfacesOf, noTraces, type Sandbox } from './support/agent-node.ts'
import { type Fault, FaultProxy } from './support/fault-proxy.ts'

/** The usual 30 s in the nightly run. */
const requestTimeoutMs = process.env.TWINLANE_LONG_TESTS === '1' ? undefined : 3000
const all = ['eth0', 'net1', 'net2']
const nothing = (): void => {}

/** An answer of the API server as it looks when it is not well. */
function failure(code: number, reason: string, headers: Record<string, string> = {}): Fault {
  const body = JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: `${reason} here`,
    reason,
    code,
  })
  return ({ response }) => response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(body)
}

/** Asks the first callers to come back in a second. */
function busyAtFirst(): Fault {
  let left = 3
  const busy = failure(429, 'TooManyRequests', { 'retry-after': '1' })
  return (exchange) => (left-- > 0 ? busy(exchange) : exchange.forward())
}

/** Watches end with "too old resource version"; everything else works. */
const watchesAreGone: Fault = ({ url, response, forward }) => {
  if (!url.searchParams.has('watch')) return forward()
  const object = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Expired', code: 410 }
  response.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify({ type: 'ERROR', object })}\n`)
}

/** What is asked is done when all is well again, long after the caller has given up. */
const late: Fault = ({ method, forward, healed }) => {
  if (method !== 'GET') void healed.then(forward)
}

const cases: { what: string; fault: Fault | 'refuse'; refusal?: RegExp }[] = [
  { what: 'is slow', fault: ({ forward }) => setTimeout(forward, 500) },
  { what: 'has lost the history that watches ask for (410)', fault: watchesAreGone },
  { what: 'fails (500)', fault: failure(500, 'InternalError'), refusal: /InternalError here/ },
  { what: 'is busy for a moment (429)', fault: busyAtFirst() },
  {
    what: 'is busy (429)',
    fault: failure(429, 'TooManyRequests', { 'retry-after': '1' }),
    refusal: /TooManyRequests here/,
  },
  { what: 'refuses connections', fault: 'refuse', refusal: /cannot reach .*ECONNREFUSED/ },
  { what: 'never answers', fault: nothing, refusal: /gave no answer in time/ },
  { what: 'does what it is asked when nobody waits any more', fault: late, refusal: /gave no answer in time/ },
]

describe('a node whose API server', () => {
  let proxy: FaultProxy
  let node: AgentNode
  let count = 0
  beforeAll(async () => {
    node = await AgentNode.create({
      requestTimeoutMs,
      kubeconfigFor: async (server) => {
        proxy = await FaultProxy.start(server)
        return proxy.kubeconfig
      },
    })
    await node.startAgent()
  })
  afterAll(async () => {
    await node?.remove()
    await proxy?.stop()
  })

  async function newPod(what: string): Promise<string> {
    const name = `${what}-${++count}`
    await node.createPod(name)
    return name
  }

  async function newSandbox(podName: string): Promise<Sandbox> {
    return { containerId: `sandbox-${++count}`, netns: await makeNetns(), podName }
  }

  async function add(podName: string): Promise<Sandbox> {
    const sandbox = await newSandbox(podName)
    const { code, json } = await node.call('ADD', sandbox).outcome
    expect(json).toMatchObject({ cniVersion: '1.0.0', ips: expect.any(Array) })
    expect(code).toBe(0)
    expect(await interfacesOf(sandbox.netns)).toEqual(all)
    return sandbox
  }

  /** What the kubelet does: the sandbox that could not be attached is removed, and a new one is made. */
  async function addIsRefused(podName: string, refusal: RegExp): Promise<void> {
    const sandbox = await newSandbox(podName)
    const { code, json } = await node.call('ADD', sandbox).outcome
    expect({ code, json }).toMatchObject({ code: 1, json: { code: 11, msg: expect.stringMatching(refusal) } })
    expect(await interfacesOf(sandbox.netns)).toEqual([])
    await del(sandbox)
  }

  async function del(sandbox: Sandbox): Promise<void> {
    expect(await node.call('DEL', sandbox).outcome).toEqual({ code: 0, json: undefined })
    expect(await interfacesOf(sandbox.netns)).toEqual([])
    await removeNetns(sandbox.netns)
  }

  async function breakApi(fault: Fault | 'refuse'): Promise<void> {
    if (fault === 'refuse') await proxy.refuse()
    else proxy.break(fault)
  }

  it.each(cases)(
    '$what removes pods, adds those that it knew before, others whole or not at all, and has nothing left',
    async ({ fault, refusal }) => {
      const known = await newPod('known')
      const before = await newPod('before')
      const sandbox = await add(before)
      await expect.poll(() => node.claimsFor(known)).toHaveLength(2)
      await breakApi(fault)
      await del(sandbox)
      const unknown = await newPod('unknown')
      const pods = [known, unknown]
      const whole = refusal === undefined ? pods : [known]
      if (refusal !== undefined) await addIsRefused(unknown, refusal)
      for (const each of await Promise.all(whole.map(add))) await del(each)
      await proxy.heal()
      for (const each of await Promise.all(pods.map(add))) await del(each)
      for (const pod of [before, ...pods]) await node.deletePod(pod)
      await expect.poll(() => node.traces(), { timeout: 60_000 }).toEqual(noTraces)
    },
    400_000,
  )
})
