import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { damaged } from './support/arbitraries.ts'
import { inputs } from './support/runs.ts'
import { type Answer, frameOf, netns, ServedAgent } from './support/served-agent.ts'

let agent: ServedAgent
beforeAll(async () => {
  agent = await ServedAgent.start()
})
afterAll(() => agent?.stop())

const netConf = JSON.stringify({
  cniVersion: '1.1.0',
  name: 'all',
  type: 'twinlane',
  delegates: [{ cniVersion: '1.0.0', name: 'default-net', type: 'first' }],
})

/** A header that promises so many bytes. */
function headerOf(length: number): Buffer {
  const header = Buffer.from('cni1....')
  header.writeUInt32BE(length, 4)
  return header
}

let count = 0
function addEnv(args = 'K8S_POD_NAMESPACE=default;K8S_POD_NAME=web'): Record<string, string> {
  return {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: `c${++count}`,
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/bin',
    CNI_ARGS: args,
  }
}

/** An answer is the success of a verb or an error object that a runtime can read. */
function expectReadable(answer: Answer | undefined): void {
  if (answer === undefined || answer.code === 0) return
  expect(answer).toMatchObject({ code: 1, json: { code: expect.any(Number), msg: expect.stringMatching(/./) } })
}

describe("the shim's wire", { timeout: 600_000 }, () => {
  it('answers any bytes with an error object, never with success', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
      fc.array(fc.string({ maxLength: 20 }), { maxLength: 8 }).map((words) => Buffer.from(words.join('\0'))),
    )
    await fc.assert(
      fc.asyncProperty(bytes, fc.boolean(), async (content, isFramed) => {
        const frame = isFramed ? Buffer.concat([headerOf(content.length), content]) : content
        const answer = await agent.send(frame, { isWhole: isFramed })
        expectReadable(answer)
        expect(answer?.code).toBe(1)
      }),
      { numRuns: inputs(10_000) },
    )
  })

  it('takes a frame that was cut anywhere for no request', async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), async (share) => {
        const env = addEnv()
        const whole = frameOf(env, netConf)
        const answer = await agent.send(whole.subarray(0, Math.floor(share * whole.length)), { isWhole: false })
        expect(answer?.code).toBe(1)
        expect(agent.attachedTo(env.CNI_CONTAINERID ?? '')).toEqual([])
      }),
      { numRuns: inputs(5000) },
    )
  })

  it('never answers an ADD with success unless every network of the annotation is attached', async () => {
    const annotation = fc.oneof(
      damaged(['second@eth1', 'default/second@eth1,second@eth2', '[{"name":"second","interface":"eth1"}]']),
      fc
        .array(fc.constantFrom('second', 'other', 'a/second', 'second@eth0', 'second@x', ''), { maxLength: 4 })
        .map(String),
    )
    await fc.assert(
      fc.asyncProperty(annotation, async (text) => {
        agent.annotate(text)
        const env = addEnv()
        const answer = await agent.send(frameOf(env, netConf))
        expectReadable(answer)
        const attached = agent.attachedTo(env.CNI_CONTAINERID ?? '')
        agent.forget()
        if (answer?.code === 1) expect(attached).toEqual([])
        else expect(attached).toHaveLength(1 + mentions(text))
      }),
      { numRuns: inputs(10_000) },
    )
    agent.annotate(undefined)
  })

  it('never answers an ADD for a pod that does not exist with success', async () => {
    const part = fc.stringMatching(/^[a-z0-9-]{1,12}$/)
    await fc.assert(
      fc.asyncProperty(part, part, async (namespace, name) => {
        fc.pre(namespace !== 'default' || name !== 'web')
        const env = addEnv(`IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name}`)
        const answer = await agent.send(frameOf(env, netConf))
        expect(answer).toMatchObject({ code: 1, json: { code: 11 } })
        expect(agent.attachedTo(env.CNI_CONTAINERID ?? '')).toEqual([])
      }),
      { numRuns: inputs(5000) },
    )
  })
})

/** How often the only definition is named, without our parser: a word in the short form, a value of "name" in JSON. */
function mentions(annotation: string): number {
  if (!/[[{"]/.test(annotation)) return annotation.split(',').filter((item) => item.trim() !== '').length
  const parsed = parseCommented(annotation)
  return Array.isArray(parsed) ? parsed.length : 1
}

/** A comment sign inside a text is no comment, so what is JSON already is left alone. */
function parseCommented(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return JSON.parse(text.replaceAll(/(#|\/\/).*$/gm, ''))
  }
}
