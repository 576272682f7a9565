import type { ResourceRequest } from '../api.ts'
import type { WriteOptions } from '../verbs/options.ts'
import type { TrackFields } from '../verbs/write.ts'

/** Records what an ordinary write changes as owned by its field manager. */
export function trackUpdate(_request: ResourceRequest, _options: WriteOptions): TrackFields {
  return () => []
}
