-- Load for wrk: one line of the plan after the other, again and again, a little different each time.
-- Arguments: plan file, method, key prefix, number of the first request.
-- A plan line is: path <tab> token or nothing <tab> body or nothing; %d stands for the pass.

local lines, method, prefix, count = {}, "GET", "", 0

function init(args)
  method, prefix, count = args[2], args[3], tonumber(args[4])
  for line in io.lines(args[1]) do
    local path, token, body = line:match("^([^\t]*)\t([^\t]*)\t(.*)$")
    lines[#lines + 1] = { method .. " " .. path .. head(token), body, path:find("%%d") ~= nil }
  end
end

function head(token)
  local text = " HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
  if token ~= "" then
    text = text .. "Authorization: Bearer " .. token .. "\r\n"
  end
  return text
end

function request()
  local line = lines[count % #lines + 1]
  local text, body = line[1], line[2]
  local pass = math.floor(count / #lines) + 1
  if line[3] then
    text = text:format(pass)
  end
  if body ~= "" then
    body = body:format(pass)
    text = text .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n"
    if method == "POST" then
      text = text .. "Idempotency-Key: " .. prefix .. "-" .. count .. "\r\n"
    end
  end
  count = count + 1
  return text .. "\r\n" .. body
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, '
      .. '"bad_status": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
