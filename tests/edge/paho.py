"""A machine and an observer as paho-mqtt clients; prints "fine" if the agent behaves as the standard says."""
import json, queue, sys
import paho.mqtt.client as mqtt
host, port, version, bike, screen = sys.argv[1:6]
v5 = version == "5"
protocol = mqtt.MQTTv5 if v5 else mqtt.MQTTv311
events = queue.Queue()

def client(code, secret):
    c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="", protocol=protocol)
    c.username_pw_set(code, secret)
    c.on_connect = lambda c, u, f, reason, p: events.put(("connect", reason.value, f.session_present))
    c.on_subscribe = lambda c, u, mid, reasons, p: events.put(("suback", [r.value for r in reasons]))
    c.on_publish = lambda c, u, mid, reason, p: events.put(("puback", reason.value))
    c.on_message = lambda c, u, m: events.put(("message", m.topic, m.retain, json.loads(m.payload)))
    c.connect(host, int(port), keepalive=10)
    c.loop_start()
    return c

def expect(*wanted):
    got = events.get(timeout=10)
    assert got == wanted, (got, wanted)

status = "gymwire/v1/machines/bike/status"
telemetry = "gymwire/v1/machines/bike/telemetry"
machine = client("bike", bike)
expect("connect", 0, False)
machine.publish(status, json.dumps({"state": "in_use"}), qos=1, retain=True)
expect("puback", 0)
observer = client("screen", screen)
expect("connect", 0, False)
observer.subscribe([("gymwire/v1/machines/+/telemetry", 1), ("#", 0)])
expect("suback", [1, 0x87 if v5 else 0x80])
observer.subscribe(status, qos=1)
got = sorted([events.get(timeout=10), events.get(timeout=10)])
assert got == [("message", status, True, {"state": "in_use"}), ("suback", [1])], got
machine.publish(telemetry, json.dumps({"seq": 1, "boot": 9, "power_w": 120}), qos=1)
got = sorted([events.get(timeout=10), events.get(timeout=10)], key=lambda e: e[0])
assert got == [("message", telemetry, False, {"seq": 1, "boot": 9, "power_w": 120}), ("puback", 0)], got
if v5:
    machine.publish(telemetry, "no JSON", qos=1)
    expect("puback", 0x99)
    machine.publish("gymwire/v1/machines/rack/telemetry", "{}", qos=1)
    expect("puback", 0x87)
for c in (machine, observer):
    c.disconnect()
    c.loop_stop()
print("fine")
