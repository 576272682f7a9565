import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { admissionConfiguration } from './admission.ts'
import { articleConfig } from './article.ts'

test('the lab registers what deploy/admission.yaml registers, by its address', () => {
  const deployed = parse(readFileSync('deploy/admission.yaml', 'utf8')) as { webhooks: { clientConfig: object }[] }
  const { webhooks } = admissionConfiguration(articleConfig(), 'PEM')
  const clientConfig = { url: 'https://192.168.122.10:9443/validate', caBundle: 'UEVN' }
  expect(webhooks).toEqual(deployed.webhooks.map((webhook) => ({ ...webhook, clientConfig })))
})
