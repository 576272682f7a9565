// Writes deploy/crds.yaml: the kinds of all networks as their drivers have them. test/contract/deploy.unit.test.ts fails when it is old.
import { writeFileSync } from 'node:fs'
import { renderDefinitions } from '../src/lab/install-resources.ts'

writeFileSync(new URL('../deploy/crds.yaml', import.meta.url), renderDefinitions())
