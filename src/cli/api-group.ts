// The API group is a constant of the process, so it is read before any other module.

const VARIABLE = 'AIM_ADMISSION_API_GROUP'
const FLAG = '--api-group'

const { argv, env } = process
const at = argv.findIndex((arg) => arg === FLAG || arg.startsWith(`${FLAG}=`))
const group = argv[at] === FLAG ? argv[at + 1] : argv[at]?.slice(FLAG.length + 1)
if (at !== -1 && group !== undefined) env[VARIABLE] = group
