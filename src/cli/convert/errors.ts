import { ConfigError } from '../../base/errors.ts'

/** An object that cannot be written in the other version. */
export class ConversionError extends ConfigError {}
