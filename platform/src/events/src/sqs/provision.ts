import { SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { CreateQueueCommand, GetQueueAttributesCommand, SetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";

export interface AwsClients {
  readonly sns: SNSClient;
  readonly sqs: SQSClient;
}

/** Clients for the topic's region; credentials come from the SDK's own chain (a role, mostly). */
export function openClients(topicArn: string, endpoint: string | undefined): AwsClients {
  const options = { region: regionOf(topicArn), maxAttempts: 2, ...(endpoint !== undefined && { endpoint }) };
  return { sns: new SNSClient(options), sqs: new SQSClient(options) };
}

function regionOf(arn: string): string {
  const region = arn.split(":")[3];
  if (!region) throw new Error("EVENTS_TOPIC_ARN names no region");
  return region;
}

export function queueNameOf(group: string): string {
  return `platform-${group}.fifo`;
}

/** Makes a queue that takes the given types from the topic; in a company, its infrastructure code does this for the groups. */
export async function provisionQueue(
  { sns, sqs }: AwsClients,
  wish: { readonly topicArn: string; readonly name: string; readonly types: readonly string[]; readonly keepSeconds: number },
): Promise<{ readonly url: string; readonly subscriptionArn: string }> {
  const made = await sqs.send(
    new CreateQueueCommand({
      QueueName: wish.name,
      Attributes: { FifoQueue: "true", MessageRetentionPeriod: String(wish.keepSeconds), VisibilityTimeout: "60" },
    }),
  );
  const url = made.QueueUrl ?? "";
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["QueueArn"] }));
  const queueArn = Attributes?.["QueueArn"] ?? "";
  await allowTopic(sqs, url, queueArn, wish.topicArn);
  const { SubscriptionArn } = await sns.send(
    new SubscribeCommand({
      TopicArn: wish.topicArn,
      Protocol: "sqs",
      Endpoint: queueArn,
      ReturnSubscriptionArn: true,
      Attributes: { RawMessageDelivery: "true", FilterPolicy: JSON.stringify({ type: wish.types }) },
    }),
  );
  return { url, subscriptionArn: SubscriptionArn ?? "" };
}

async function allowTopic(sqs: SQSClient, url: string, queueArn: string, topicArn: string): Promise<void> {
  const policy = {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "sns.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: queueArn,
        Condition: { ArnEquals: { "aws:SourceArn": topicArn } },
      },
    ],
  };
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { Policy: JSON.stringify(policy) } }));
}
