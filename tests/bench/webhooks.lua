-- webhooks - wrk posts the signed events of the file named by BODIES, each thread its own part of them, in order.
local threads = 0
function setup(thread)
  thread:set("part", threads)
  threads = threads + 1
end

local requests = {}
local at = 0

function init()
  local n = 0
  for line in io.lines(os.getenv("BODIES")) do
    if n % 2 == part then
      local signature, body = line:match("^(%S+)\t(.*)$")
      requests[#requests + 1] = wrk.format("POST", "/webhooks/stripe", { ["Stripe-Signature"] = signature, ["Content-Type"] = "application/json" }, body)
    end
    n = n + 1
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  io.write(string.format('{"requests":%d,"seconds":%.3f,"not_2xx":%d,"unanswered":%d,"p50_us":%d,"p99_us":%d}\n', summary.requests, summary.duration / 1e6,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout, latency:percentile(50), latency:percentile(99)))
end
