-- webhooks - wrk (one thread) posts the signed events of the file named by BODIES, in order, and says at the end what it saw, as a line of JSON.

-- Clock ticks that wrk itself has used.
local function own_ticks()
  local fields = {}
  for field in io.open("/proc/self/stat"):read("*a"):match("%) (.*)"):gmatch("%S+") do
    fields[#fields + 1] = field
  end
  return fields[12] + fields[13]
end

local worker
function setup(thread)
  worker = thread
end

local requests = {}
local at = 0

function init()
  for line in io.lines(os.getenv("BODIES")) do
    local signature, body = line:match("^(%S+)\t(.*)$")
    requests[#requests + 1] = wrk.format("POST", "/webhooks/stripe", { ["Stripe-Signature"] = signature, ["Content-Type"] = "application/json" }, body)
  end
  ticks_before = own_ticks()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  io.write(string.format('{"requests":%d,"seconds":%.3f,"not_2xx":%d,"unanswered":%d,"p50_us":%d,"p99_us":%d,"cpu_ticks":%d}\n', summary.requests,
    summary.duration / 1e6, summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), own_ticks() - worker:get("ticks_before")))
end
