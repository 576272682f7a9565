import type { NodeDeps } from '../../driver.ts'
import type { OvnSettings } from '../config.ts'
import type { AttachLog } from './attach-log.ts'
import type { AttachMetrics } from './attach-metrics.ts'
import type { LocalSwitch } from './local-switch.ts'

/** What the parts of the node's side share. */
export interface NodeContext extends NodeDeps {
  readonly settings: OvnSettings
  readonly local: LocalSwitch
  readonly attachMetrics: AttachMetrics
  readonly attachLog: AttachLog
}
