import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NetworkAnnotationError, parseNetworks } from './network-selection.ts'

const article = `[{
      "name": "yusur-ovn", #指定网络名称
      "interface": "eth1", #必须指定eth0 以外的名称，不然和calico网卡冲突
      "default-route": ["10.144.0.1"] #必须指定默认路由信息，不然无法创建，默认路由和calico冲突无法启动pod
    }]`

function messageOf(text: string): string {
  try {
    parseNetworks(text, 'default')
  } catch (error) {
    expect(error).toBeInstanceOf(NetworkAnnotationError)
    return (error as Error).message
  }
  throw new Error('was accepted')
}

describe('the article', () => {
  test('its annotation is accepted, with a warning that names the lines', () => {
    const { selections, warnings } = parseNetworks(article, 'default')
    expect(selections).toEqual([
      { name: 'yusur-ovn', namespace: 'default', interface: 'eth1', defaultRoute: ['10.144.0.1'] },
    ])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('lines 2, 3 and 4 (first at column 28)')
    expect(warnings[0]).toContain('other implementations will reject it')
  })
})

describe('the short form', () => {
  test('names, namespaces and interfaces are split and trimmed', () => {
    expect(parseNetworks(' net1 , ns/net2@eth7,net3@a.b_c', 'mine').selections).toEqual([
      { name: 'net1', namespace: 'mine' },
      { name: 'net2', namespace: 'ns', interface: 'eth7' },
      { name: 'net3', namespace: 'mine', interface: 'a.b_c' },
    ])
  })

  test.each(['a/b/c', 'a@b@c', 'net1,', 'Net1', 'a@', '/a', 'a@b/c', 'a@b c'])('"%s" is refused', (text) => {
    expect(messageOf(text)).toMatch(/line 1, column \d+/)
  })

  test('nothing or white space selects nothing', () => {
    expect(parseNetworks(undefined, 'x').selections).toEqual([])
    expect(parseNetworks('  \n', 'x').selections).toEqual([])
  })

  test('the same network twice is two attachments', () => {
    expect(parseNetworks('a,a', 'x').selections).toHaveLength(2)
  })
})

describe('the JSON form', () => {
  test('every key of the standard is read', () => {
    const element = {
      name: 'a',
      namespace: 'b',
      interface: 'net7',
      ips: ['10.0.0.1', '10.0.0.2/24', 'fd00::1/64'],
      mac: 'C2-B0-57-49-47-F1',
      'infiniband-guid': 'c2:11:22:33:44:55:66:77',
      portMappings: [{ hostPort: 1, containerPort: 2 }],
      bandwidth: { ingressRate: 5 },
      deviceID: '0000:03:02.0',
      'cni-args': { key: { a: 1 } },
      'default-route': ['10.0.0.254', 'fd00::254'],
    }
    const { selections, warnings } = parseNetworks(JSON.stringify([element]), 'x')
    expect(warnings).toEqual([])
    expect(selections[0]).toEqual({
      name: 'a',
      namespace: 'b',
      interface: 'net7',
      ips: element.ips,
      mac: 'c2:b0:57:49:47:f1',
      infinibandGuid: 'c2:11:22:33:44:55:66:77',
      portMappings: element.portMappings,
      bandwidth: { ingressRate: 5 },
      deviceId: '0000:03:02.0',
      cniArgs: { key: { a: 1 } },
      defaultRoute: ['10.0.0.254', 'fd00::254'],
    })
  })

  test('null and absent are the same, an empty list is not', () => {
    const read = (route: string) => parseNetworks(`[{"name":"a"${route}}]`, 'x').selections[0]?.defaultRoute
    expect(read('')).toBeUndefined()
    expect(read(',"default-route":null')).toBeUndefined()
    expect(read(',"default-route":[]')).toEqual([])
  })

  test('comment marks inside strings are text', () => {
    const { selections, warnings } = parseNetworks('[{"name":"a","cni-args":{"u":"http://x/#y"}}]', 'x')
    expect(selections[0]?.cniArgs).toEqual({ u: 'http://x/#y' })
    expect(warnings).toEqual([])
  })

  test('a // comment is accepted with the warning that names its line', () => {
    expect(parseNetworks('[ // two\n{"name":"a"}]', 'x').warnings[0]).toContain(
      '"//" comment on line 1 (first at column 3)',
    )
  })

  test('an unknown key is ignored with a warning', () => {
    expect(parseNetworks('[{"name":"a",\n"ipRequest":"x"}]', 'x').warnings).toEqual([
      'networks annotation has the unknown key "ipRequest" on line 2; it is ignored',
    ])
  })

  test.each([
    ['[{"name":"a"},]', 'line 1, column 14: trailing ","'],
    ['[{"name":"a",}]', 'line 1, column 13: trailing ","'],
    ['[{"name":"a",,"x":1}]', 'line 1, column 14: two ","'],
    ['[{"name":"a"}', 'line 1, column 14: expected "," or "]", found the end of the text'],
    ['[\n{"name" "a"}]', 'line 2, column 9: expected ":"'],
    ['[{"name":a}]', 'line 1, column 10: "a" is not a value'],
    ['[{"name":"a}]', 'line 1, column 10: a string that does not end'],
    ['[{"name":"a\\x"}]', 'line 1, column 10: "a\\x" is not a valid string'],
    ["[{'name':'a'}]", 'line 1, column 3: expected a key in double quotes'],
    ['[{"name":"a"}] x', 'line 1, column 16: unexpected "x"'],
    ['{"name":"a"}', 'line 1, column 1: must be a list'],
    ['["a"]', 'line 1, column 2: must be an object'],
    ['[{}]', 'line 1, column 2: "name" is missing'],
    ['[{"name":7}]', 'line 1, column 10: "name" must be a string'],
    [
      '[{"name":"a",\n "interface":"abcdefghijklmnop"}]',
      'line 2, column 14: interface name "abcdefghijklmnop" has 16 bytes',
    ],
    ['[{"name":"a","interface":"a/b"}]', 'has a "/"'],
    ['[{"name":"a","interface":"lo"}]', 'is the loopback interface'],
    ['[{"name":"a","interface":"eth0"}]', 'belongs to the default network'],
    ['[{"name":"a","interface":"x"},{"name":"b","interface":"x"}]', 'two networks ask for the interface "x"'],
    ['[{"name":"a","ips":["10.0.0.1","10.0.0.300"]}]', 'line 1, column 32: "10.0.0.300" in "ips"'],
    ['[{"name":"a","mac":"02:00:00:00:00"}]', 'not 6 bytes'],
    ['[{"name":"a","default-route":["10.0.0.1/24"]}]', 'is not the IP address of a gateway'],
    ['[{"name":"a","default-route":["10.0.0.1"]},{"name":"b","default-route":["10.1.0.1"]}]', 'two IPv4 gateways'],
    ['[{"name":"a","ips":["10.0.0.1"],"ipam-claim-reference":"c"}]', 'exclude each other'],
  ])('%s is refused with place and reason', (text, reason) => {
    expect(messageOf(text)).toContain(reason)
  })

  test('gateways of both families on different elements are accepted', () => {
    const text = '[{"name":"a","default-route":["10.0.0.1"]},{"name":"b","default-route":["fd00::1"]}]'
    expect(parseNetworks(text, 'x').selections).toHaveLength(2)
  })
})

describe('any text', () => {
  const accepted = (text: string): unknown => {
    try {
      return parseNetworks(text, 'x').selections
    } catch (error) {
      if (!(error instanceof NetworkAnnotationError)) throw error
      return undefined
    }
  }

  test('never fails with anything but NetworkAnnotationError', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void accepted(text)))
    fc.assert(fc.property(fc.json(), (text) => void accepted(text)))
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...'[]{}",:#/\\ \nname01ab')), (parts) => void accepted(parts.join(''))),
    )
    expect(accepted('['.repeat(100_000))).toBeUndefined()
    expect(accepted('[{"__proto__":{"name":"a"}}]')).toBeUndefined()
  })

  test('a comment at the end of any line changes nothing', () => {
    const text = '[{\n"name":"a",\n"ips":[\n"10.0.0.1"]\n}\n]'
    const lines = fc.array(
      fc.string({ unit: 'grapheme' }).map((line) => line.replaceAll(/[\n\r]/g, '')),
      { minLength: 6, maxLength: 6 },
    )
    fc.assert(
      fc.property(lines, (comments) => {
        const commented = text
          .split('\n')
          .map((line, index) => `${line} #${comments[index]}`)
          .join('\n')
        expect(accepted(commented)).toEqual(accepted(text))
      }),
    )
  })
})
