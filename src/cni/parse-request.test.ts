import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { derivePluginConfig, parseConfigList, selectRuntimeConfig } from './config.ts'
import { CniError } from './errors.ts'
import { codeOf, formatError } from './format-error.ts'
import { parseRequest } from './parse-request.ts'

const env = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'abc123',
  CNI_NETNS: '/run/netns/x',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/opt/cni/bin:/usr/lib/cni',
  CNI_ARGS: 'IgnoreUnknown=true;K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=default;odd;x=a=b',
}
const stdin = '{"cniVersion":"1.0.0","name":"net","type":"twinlane"}'

function failureOf(changes: Record<string, string>, text = stdin): CniError {
  try {
    parseRequest({ pluginName: 'twinlane', env: { ...env, ...changes }, stdin: text })
  } catch (error) {
    expect(error).toBeInstanceOf(CniError)
    return error as CniError
  }
  throw new Error('was accepted')
}

describe('a request', () => {
  test('is read from environment and standard input', () => {
    const request = parseRequest({ pluginName: 'calico', env, stdin })
    expect(request).toMatchObject({ command: 'ADD', containerId: 'abc123', ifName: 'eth0', netns: '/run/netns/x' })
    expect(request.path).toEqual(['/opt/cni/bin', '/usr/lib/cni'])
    expect(request.args).toMatchObject({ K8S_POD_NAME: 'web-0', x: 'a=b' })
    expect(request.config).toMatchObject({ cniVersion: '1.0.0', name: 'net', type: 'twinlane' })
  })

  test('names every missing variable in one error of code 4', () => {
    const error = failureOf({ CNI_NETNS: '', CNI_IFNAME: '', CNI_PATH: '' })
    expect(error.code).toBe(4)
    expect(error.message).toBe('ADD without CNI_NETNS, CNI_IFNAME, CNI_PATH')
  })

  test('names every missing and every invalid variable in one error of code 4', () => {
    const error = failureOf({ CNI_NETNS: '', CNI_CONTAINERID: '../x', CNI_IFNAME: 'a/b' })
    expect(error.code).toBe(4)
    expect(error.message).toBe(
      'ADD without CNI_NETNS; CNI_CONTAINERID "../x" is not a container ID; CNI_IFNAME "a/b" is not an interface name',
    )
  })

  test('DEL needs no netns, GC and STATUS need only the path', () => {
    const read = (changes: Record<string, string>) =>
      parseRequest({ pluginName: 'x', env: { ...env, ...changes }, stdin: stdin.replace('1.0.0', '1.1.0') })
    expect(read({ CNI_COMMAND: 'DEL', CNI_NETNS: '' }).netns).toBeUndefined()
    expect(read({ CNI_COMMAND: 'GC', CNI_CONTAINERID: '', CNI_NETNS: '', CNI_IFNAME: '' }).containerId).toBe('')
  })

  test.each([
    ['CNI_COMMAND', 'FOO', 'CNI_COMMAND "FOO" is unknown'],
    ['CNI_COMMAND', 'toString', 'CNI_COMMAND "toString" is unknown'],
    ['CNI_CONTAINERID', '../x', 'is not a container ID'],
    ['CNI_IFNAME', 'a/b', 'is not an interface name'],
    ['CNI_IFNAME', 'abcdefghijklmnop', 'is not an interface name'],
    ['CNI_IFNAME', '..', 'is not an interface name'],
  ])('%s=%s is refused with code 4', (name, value, reason) => {
    const error = failureOf({ [name]: value })
    expect(error.code).toBe(4)
    expect(error.message).toContain(reason)
  })

  test.each([
    ['{', 6],
    ['[]', 6],
    ['{"cniVersion":"1.0.0","type":"x"}', 7],
    ['{"cniVersion":"1.0.0","name":"-bad","type":"x"}', 7],
    ['{"cniVersion":"1.0.0","name":"net"}', 7],
    ['{"cniVersion":"9.0.0","name":"net","type":"x"}', 1],
  ])('the configuration %s is refused with code %i', (text, code) => {
    expect(failureOf({}, text).code).toBe(code)
  })

  test.each([
    ['CHECK', '0.3.1'],
    ['GC', '1.0.0'],
    ['STATUS', '1.0.0'],
  ])('%s in version %s is refused with code 1', (command, version) => {
    expect(failureOf({ CNI_COMMAND: command }, stdin.replace('1.0.0', version)).code).toBe(1)
  })

  test('a configuration without a version is 0.1.0', () => {
    expect(parseRequest({ pluginName: 'x', env, stdin: '{"name":"n","type":"t"}' }).config.cniVersion).toBe('0.1.0')
  })

  test('any environment and text is read or refused with a CNI error', () => {
    const variables = fc.dictionary(fc.constantFrom(...Object.keys(env)), fc.string())
    fc.assert(
      fc.property(variables, fc.oneof(fc.string(), fc.json()), (changes, text) => {
        try {
          parseRequest({ pluginName: 'x', env: { ...env, ...changes }, stdin: text })
        } catch (error) {
          expect(error).toBeInstanceOf(CniError)
        }
      }),
    )
  })
})

describe('a configuration', () => {
  test('of one plugin becomes a list of one, named after its definition', () => {
    const list = parseConfigList('{"cniVersion":"0.4.0","type":"bridge","extra":1}', { defaultName: 'nad' })
    expect(list).toEqual({
      cniVersion: '0.4.0',
      name: 'nad',
      plugins: [{ cniVersion: '0.4.0', name: 'nad', type: 'bridge', extra: 1 }],
    })
  })

  test('takes the highest version that it offers and we know', () => {
    const list = parseConfigList(
      '{"cniVersion":"0.3.1","cniVersions":["1.0.0","9.9.9","0.4.0"],"name":"n","plugins":[{"type":"a"}]}',
    )
    expect(list.cniVersion).toBe('1.0.0')
  })

  test('gives a plugin name, version and previous result, and keeps capabilities from it', () => {
    const list = parseConfigList(
      '{"name":"n","cniVersion":"1.0.0","plugins":[{"type":"a","capabilities":{"ips":true}}]}',
    )
    expect(derivePluginConfig(list, list.plugins[0]!, { ips: [] })).toEqual({
      type: 'a',
      name: 'n',
      cniVersion: '1.0.0',
      prevResult: { ips: [] },
    })
    expect(selectRuntimeConfig(list.plugins[0]!, { ips: ['10.0.0.1'], mac: 'x' })).toEqual({ ips: ['10.0.0.1'] })
  })
})

test('an error keeps the first CNI code among its causes and ends with the fix', () => {
  const cause = new CniError(11, 'not yet', { fix: 'Wait.' })
  expect(codeOf(new Error('outer', { cause }))).toBe(11)
  expect(formatError(cause, '1.0.0')).toEqual({ cniVersion: '1.0.0', code: 11, msg: 'not yet. Wait.' })
  expect(formatError(new Error('x'), '0.4.0').code).toBe(999)
})
