import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { parseControllerConfig } from '../controller/config.ts'
import { defaultAgentSettings, loadAgentConfig, parseAgentConfig } from './config.ts'

const text = `
nodeName: work01
kubeconfig: /etc/kubernetes/twinlane.kubeconfig
networks:
  routed: { blockSize: 24 }
`

test('the file is read, with the host name and level info as defaults', () => {
  expect(parseAgentConfig(text)).toEqual({
    nodeName: 'work01',
    kubeconfig: '/etc/kubernetes/twinlane.kubeconfig',
    logLevel: 'info',
    networks: { routed: { blockSize: 24 } },
    agent: defaultAgentSettings,
  })
  expect(parseAgentConfig('kubeconfig: /x').nodeName).toBe(hostname())
})

test.each([
  ['kubeconfig: ""', 'kubeconfig: '],
  [`${text}logLevel: loud`, 'logLevel: '],
  [`${text}colour: red`, 'colour: unknown field'],
  ['', 'configuration: '],
])('%j is refused, naming the field', (bad, field) => {
  expect(() => parseAgentConfig(bad)).toThrow(field)
  expect(() => parseControllerConfig(bad)).toThrow(field)
})

test.each([
  ['agent: { netConf: { content: { delegates: 5 } } }', 'agent.netConf.content'],
  ['agent: { netConf: { fileName: a/b.conf } }', 'agent.netConf.fileName'],
  ['agent: { maxConcurrent: 0 }', 'agent.maxConcurrent'],
])('%j is refused at start, naming the field', (bad, field) => {
  expect(() => parseAgentConfig(`${text}${bad}`)).toThrow(field)
})

test('the controller reads the same file', () => {
  expect(parseControllerConfig(text).networks).toEqual({ routed: { blockSize: 24 } })
})

test('a file that is not there is named', async () => {
  await expect(loadAgentConfig('/nowhere/config.yaml')).rejects.toThrow('/nowhere/config.yaml')
})
