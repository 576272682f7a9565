import { describe, expect, test } from 'vitest'
import { parseNetworks } from './network-selection.ts'

/** YAML folds the lines of a quoted text into one: this is what kubectl sends for the article's pod. */
const article =
  '[{ "name": "yusur-ovn", #指定网络名称 "interface": "eth1", #必须指定eth0 以外的名称，不然和calico网卡冲突 "default-route": ["10.144.0.1"] #必须指定默认路由信息，不然无法创建，默认路由和calico冲突无法启动pod }]'

describe('comments in an annotation whose lines were folded into one', () => {
  test("the article's annotation selects its network, with a warning", () => {
    const { selections, warnings } = parseNetworks(article, 'default')
    expect(selections).toMatchObject([
      { name: 'yusur-ovn', namespace: 'default', interface: 'eth1', defaultRoute: ['10.144.0.1'] },
    ])
    expect(warnings.join()).toContain('"#" comment on line 1 (first at column 25)')
  })

  test('a comment ends before a text of a list, an object and a closing bracket', () => {
    const text =
      '[ // two {"name": "a", "ips": ["10.0.0.1", # first "10.0.0.2" # second ]}, # next {"name": "b"} # end ]'
    expect(parseNetworks(text, 'x').selections.map(({ name, ips }) => [name, ips])).toEqual([
      ['a', ['10.0.0.1', '10.0.0.2']],
      ['b', undefined],
    ])
  })

  test('a comment at the very end of the text', () => {
    expect(parseNetworks('[{"name": "a"}] # the end', 'x').selections).toHaveLength(1)
  })

  test.each([
    '[{"name": "a", # "interface": "eth1", "ips": ["10.0.0.1"]}]',
    '[{"name": "a", #"interface": "eth1", "ips": ["10.0.0.1"]}]',
  ])('a setting that was commented out does not come to life: %s', (text) => {
    expect(() => parseNetworks(text, 'x')).toThrow('networks annotation is not valid JSON')
  })
})
