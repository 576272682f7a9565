import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const transcript = /<!-- transcript -->\n+```\n([\s\S]*?)\n```/.exec(readme)?.[1] ?? ''
const steps = transcript
  .split(/^\$ /m)
  .slice(1)
  .map((text) => {
    const [command = '', ...output] = text.split('\n')
    return { command, output: output.join('\n') }
  })

/** The transcript in the README is what the commands print, on a cluster of its own. */
describe("the README's transcript", () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab({ fresh: true })
  })

  it('has steps', () => expect(steps.length).toBeGreaterThan(10))

  it.each(steps.filter((step) => step.command !== 'twinlane lab up'))('$command', async ({ command, output }) => {
    const words = command.split(' ').slice(1)
    const isRepeatable = /status|ping|show|get/.test(command)
    const compare = async (): Promise<void> =>
      expect(comparable((await lab.cli(words)).stdout)).toEqual(comparable(output))
    // What the engines do in their own time (sessions, tunnels) is looked at again until it is there.
    await (isRepeatable ? eventually(compare) : compare())
  })
})

/**
 * Lines without what differs from run to run: identities, times, and the order in which databases and sessions list
 * things.
 */
function comparable(text: string): string[] {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replaceAll(/"?\b[0-9a-f]{15}\b"?/g, 'PORT')
    .replaceAll(/ovn-[0-9a-f]{6}-0/g, 'ovn-CHASSIS-0')
    .replaceAll(/link\/ether (?!0a:58)[0-9a-f:]{17}/g, 'link/ether MAC')
    .replaceAll(/@if\d+/g, '@ifN')
    .replaceAll(/\d\d:\d\d:\d\d/g, 'TIME')
    .replaceAll(/\d+\.\d+(\/\d+\.\d+)* ms/g, 'MS')
    .replaceAll(/\b\d+m?\d*s\b/g, 'AGE')
    .replaceAll(/\b6\.\d+\.\S+|\b5\.\d+\.\S+/g, 'KERNEL')
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => line !== '')
    .sort()
}
