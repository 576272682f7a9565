import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parseYaml } from './yaml.ts'

const values = (text: string): unknown[] => parseYaml(text).documents.map((document) => document.toJS() as unknown)
const errors = (text: string): string[] =>
  parseYaml(text).documents.flatMap(({ errors }) => errors.map(({ message }) => message))

describe('YAML as kubectl reads it', () => {
  test("the article's pod, whose annotation ends with a bracket under its key", () => {
    const text = readFileSync(new URL('../../examples/article/busybox3.yaml', import.meta.url), 'utf8')
    expect(errors(text)).toEqual([])
    const [pod] = values(text) as [{ metadata: { annotations: Record<string, string> } }]
    const annotation = pod.metadata.annotations['k8s.v1.cni.cncf.io/networks']
    // As kubectl sends it: the lines of a quoted text are folded into one.
    expect(annotation).toMatch(
      /^\[\{ "name": "yusur-ovn", #.* "interface": "eth1", #.* "default-route": \["10\.144\.0\.1"\] #.* \}\]$/,
    )
  })

  test('a text whose lines are indented less than its key, in a later document too', () => {
    const text = "a: 1\n---\nb:\n    c: 'one\n  two\n\nthree'\n    d: 4\n"
    expect(values(text)).toEqual([{ a: 1 }, { b: { c: 'one two\nthree', d: 4 } }])
  })

  test('a quote that is never closed is an error', () => {
    expect(errors("a:\n  b: 'one\nc: 2\n---\nd: 3\n")[0]).toContain('Missing closing')
  })

  test('nothing at all', () => {
    expect(values('')).toEqual([])
    expect(values('# only a comment\n')).toEqual([])
  })
})
